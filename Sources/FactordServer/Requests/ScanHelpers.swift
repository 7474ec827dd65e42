import Factorization
import LinuxSystem
import Synchronization

/// Threads that scan parts of a large catalogue for the request in hand, and sleep otherwise.
final class ScanHelpers: Service {
    private let team: ScanTeam
    private let word = WakeWord()
    private let isStopping = Atomic<Bool>(false)
    private let threads = Lock<[SystemThread]>([])

    init(_ team: ScanTeam) { self.team = team }

    let name = "scan helpers"

    func start() throws {
        for number in 0..<team.helpers {
            let thread = try SystemThread(name: "scan \(number)", pulse: Pulse { [word] in word.signal() }) { [team, word, self] in
                var seen: UInt32 = 0
                while !isStopping.load(ordering: .acquiring) {
                    team.serve(number)
                    seen = word.wait(after: seen)
                }
            }
            threads.withLock { $0.append(thread) }
        }
        team.attach { [word] in word.signal() }
    }

    /// After the last request: nobody opens a task any more.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        word.signal()
        for thread in threads.withLock({ $0 }) { thread.join() }
    }
}
