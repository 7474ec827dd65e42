import CKernels

import Synchronization

/// What an event of some type teaches: the label and weight of its interaction.
public struct TypeRule: Sendable, Equatable {
    /// Where the label comes from.
    public enum Label: Sendable, Equatable {
        /// The same for every event of the type.
        case constant(Float)
        /// The record's own value; one without is refused.
        case value
        /// The record's own value, or this where it has none.
        case valueOr(Float)
    }

    public var label: Label
    /// Importance; multiplies the record's own weight. 0 keeps the event out of learning.
    public var weight: Float
    /// Whether the item counts as seen by the user.
    public var marksSeen: Bool

    public init(label: Label = .valueOr(1), weight: Float = 1, marksSeen: Bool = true) {
        self.label = label
        self.weight = weight
        self.marksSeen = marksSeen
    }

    /// The label of a record; meaningless where `needsValue` and there is none.
    @inline(__always)
    func label(value: Float, hasValue: Bool) -> Float {
        switch label {
        case .constant(let label): label
        case .value: value
        case .valueOr(let other): hasValue ? value : other
        }
    }

    @inline(__always)
    var needsValue: Bool { label == .value }
}

/// The event types of the streams: a small bounded registry, name to ordinal to rule.
///
/// Thread safety: `resolve` belongs to the sequencer; `rule` is for trainers, for ordinals that came to them in records.
final class EventTypes: @unchecked Sendable {
    static let capacity = 1024
    /// Rules by ordinal, of fixed place; an entry is written before its ordinal is given out.
    private let rules: UnsafeMutablePointer<TypeRule>
    /// The same for C.
    private let plainRules: UnsafeMutablePointer<fk_rule>
    private var names: [[UInt8]] = []
    /// The same names where they never move.
    private let texts: UnsafeMutablePointer<UnsafeRawBufferPointer>
    private var ordinals: [[UInt8]: UInt16] = [:]
    private let configured: [String: TypeRule]
    private let fallback: TypeRule
    /// The ordinal of the last event; streams come in runs.
    private var last: UInt16 = 0

    /// - Parameters:
    ///   - configured: rules by type name.
    ///   - fallback: the rule of every other type, and of events without one.
    init(configured: [String: TypeRule], fallback: TypeRule) {
        rules = .allocate(capacity: EventTypes.capacity)
        plainRules = .allocate(capacity: EventTypes.capacity)
        texts = .allocate(capacity: EventTypes.capacity)
        self.configured = configured
        self.fallback = fallback
        _ = add([])
    }

    deinit {
        rules.deallocate()
        plainRules.deallocate()
        for ordinal in names.indices { texts[ordinal].deallocate() }
        texts.deallocate()
    }

    /// The ordinal of a type's name, added if it is new; nil when the registry is full.
    func resolve(_ name: UnsafeRawBufferPointer) -> UInt16? {
        let before = texts[Int(last)]
        if before.count == name.count, before.elementsEqual(name) { return last }
        if let known = ordinals[Array(name)] {
            last = known
            return known
        }
        guard names.count < EventTypes.capacity else { return nil }
        last = add(Array(name))
        return last
    }

    private func add(_ name: [UInt8]) -> UInt16 {
        let ordinal = UInt16(names.count)
        let text = String(decoding: name, as: UTF8.self)
        let rule = configured[text] ?? fallback
        (rules + Int(ordinal)).initialize(to: rule)
        (plainRules + Int(ordinal)).initialize(to: rule.plain)
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: name.count, alignment: 1)
        copy.copyBytes(from: name)
        (texts + Int(ordinal)).initialize(to: UnsafeRawBufferPointer(copy))
        names.append(name)
        ordinals[name] = ordinal
        return ordinal
    }

    @inline(__always)
    func rule(_ ordinal: UInt16) -> UnsafePointer<TypeRule> { UnsafePointer(rules + Int(ordinal)) }

    /// The rules of all types.
    var allRules: (UnsafePointer<TypeRule>, plain: UnsafePointer<fk_rule>) { (UnsafePointer(rules), UnsafePointer(plainRules)) }

    /// Names by ordinal, for the snapshot.
    var allNames: [[UInt8]] { names }

    /// Takes over the ordinals of a snapshot into a new registry; rules come from the configuration of today. False when
    /// these cannot be the names of a registry.
    func restore(_ saved: [[UInt8]]) -> Bool {
        guard saved.first == [], saved.count <= EventTypes.capacity, Set(saved).count == saved.count else { return false }
        for name in saved.dropFirst() { _ = add(name) }
        return true
    }
}
