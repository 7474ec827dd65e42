import LinuxSystem

/// Which threads run on one processor only. Trainers take the processors in order, then receivers; threads beyond the list
/// run anywhere, as all others do.
public enum ProcessorPinning: Sendable, Equatable, Codable {
    /// None.
    case none
    /// On the processors that the process may use, in their order.
    case auto
    /// On these.
    case processors([Int])

    /// The processors that `count` threads get, trainers first; nil for any.
    func places(_ count: Int) -> [Int?] {
        let processors: [Int] =
            switch self {
            case .none: []
            case .auto: SystemThread.processors
            case .processors(let list): list
            }
        return (0..<count).map { $0 < processors.count ? processors[$0] : nil }
    }
}

extension SettingType where Value == ProcessorPinning {
    static var pinning: SettingType {
        let numbers = SettingType<[Int]>.integers(0...1023)
        return SettingType(
            expected: "none, auto or a list of different processors, such as [2, 3]", name: "none, auto or list of processors",
            read: { node in
                switch node.text {
                case "none"?: return ProcessorPinning.none
                case "auto"?: return .auto
                default:
                    guard let list = numbers.read(node), !list.isEmpty, Set(list).count == list.count else { return nil }
                    return .processors(list)
                }
            },
            write: { pinning in
                switch pinning {
                case .none: "none"
                case .auto: "auto"
                case .processors(let list): numbers.write(list)
                }
            }, words: ["none", "auto"])
    }
}
