@testable import Factorization

/// A state image as named byte arrays: comparable, damageable, restorable.
struct MemoryState: StateSource, Equatable {
    typealias Failure = any Error
    var sections: [String: [UInt8]] = [:]

    init() {}

    init(_ engine: Engine) {
        let image = engine.capture()
        for section in image.sections { sections[section.name] = Array(image.bytes(section)) }
    }

    func withSection(_ name: String, _ body: (UnsafeRawBufferPointer) throws(StateError) -> Void) throws -> Bool {
        guard let bytes = sections[name] else { return false }
        var failure: StateError?
        bytes.withUnsafeBytes { raw in
            do throws(StateError) { try body(raw) } catch { failure = error }
        }
        if let failure { throw failure }
        return true
    }

    /// Names of sections that differ.
    func differences(_ other: MemoryState) -> [String] {
        Set(sections.keys).union(other.sections.keys).filter { sections[$0] != other.sections[$0] }.sorted()
    }
}
