import Foundation

/// How many threads there are of each kind where no key says so.
extension Configuration.Threads {
    /// Half the processors, between 1 and 8: the other half receives, answers and belongs to the rest of the machine.
    static func trainers(processors: Int) -> Int { min(8, max(1, processors / 2)) }
    static func scorers(processors: Int) -> Int { min(8, max(1, processors / 2)) }
    /// A quarter of the processors, between 1 and 4: decoding a stream costs less than learning it.
    static func receivers(processors: Int) -> Int { min(4, max(1, processors / 4)) }

    /// Of the processors that run now.
    static var defaultTrainers: Int { trainers(processors: ProcessInfo.processInfo.activeProcessorCount) }
    static var defaultScorers: Int { scorers(processors: ProcessInfo.processInfo.activeProcessorCount) }
    static var defaultReceivers: Int { receivers(processors: ProcessInfo.processInfo.activeProcessorCount) }
}
