/// The attributes of items by field: what an expression that speaks of all values of a field goes through.
///
/// Scratch of one scorer. Attributes stay once they are there, so that only new ones have to be looked at.
final class AttributeFields {
    private let features: EntityTable
    private var byNamespace: [[UInt32]] = []
    /// Attributes sorted in.
    private(set) var covered = 0

    init(_ features: EntityTable) { self.features = features }

    /// Takes in what is new. Inside `ReaderEpochs.reading`.
    func update() {
        let count = features.count
        guard covered < count else { return }
        for ordinal in UInt32(covered)..<UInt32(count) {
            let namespace = Int(features.namespace(ordinal))
            while byNamespace.count <= namespace { byNamespace.append([]) }
            byNamespace[namespace].append(ordinal)
        }
        covered = count
    }

    /// The attributes of a field, in the order of their ordinals.
    func ordinals(_ namespace: UInt16) -> [UInt32] { Int(namespace) < byNamespace.count ? byNamespace[Int(namespace)] : [] }
}
