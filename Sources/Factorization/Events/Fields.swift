import Synchronization

/// The fields of context features and attributes: a small bounded registry from name to ordinal. The ordinal + 1 is the
/// namespace of the field's values.
///
/// Thread safety: `namespace(adding:)` belongs to the sequencer; `namespace(_:)` and `allNames` are for anyone. A name is
/// written before the count that covers it is released, and never changes.
public final class Fields: @unchecked Sendable {
    public static let capacity = 4096
    private let names: UnsafeMutablePointer<[UInt8]>
    private let known = Atomic<Int>(0)
    /// The field of the last feature; streams repeat themselves. Sequencer only.
    private var last = 0

    init() { names = .allocate(capacity: Fields.capacity) }
    deinit {
        names.deinitialize(count: known.load(ordering: .relaxed))
        names.deallocate()
    }

    /// The namespace of a field's values, the field added if it is new; nil when the registry is full.
    func namespace(adding name: UnsafeRawBufferPointer) -> UInt16? {
        let count = known.load(ordering: .relaxed)
        if last < count, names[last].elementsEqual(name) { return UInt16(last + 1) }
        if let found = namespace(name) {
            last = Int(found) - 1
            return found
        }
        guard count < Fields.capacity else { return nil }
        (names + count).initialize(to: Array(name))
        known.store(count + 1, ordering: .releasing)
        last = count
        return UInt16(count + 1)
    }

    /// The namespace of a known field.
    public func namespace(_ name: UnsafeRawBufferPointer) -> UInt16? {
        for index in 0..<known.load(ordering: .acquiring) where names[index].elementsEqual(name) { return UInt16(index + 1) }
        return nil
    }

    /// The name of a known field.
    func name(_ namespace: UInt16) -> [UInt8] { names[Int(namespace) - 1] }

    /// Names by ordinal.
    public var allNames: [[UInt8]] { (0..<known.load(ordering: .acquiring)).map { names[$0] } }
}
