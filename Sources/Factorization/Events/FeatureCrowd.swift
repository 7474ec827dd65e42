/// Keeps a record with very many features from weighing more than others.
///
/// A step moves every feature of a side, so it moves their sum by Σx² times as far as it would move a single one (under AdaGrad,
/// whose steps do not know the gradient's size, by Σ|x|): some dozens of events with 256 features each are enough to ruin a model
/// at the usual rates. So together the features of one record count at most like `full` of the strongest among them:
/// x ← x · min(1, full · max|x| / Σ|x|). Up to `full` features nothing changes.
public enum FeatureCrowd {
    /// Features of the strongest one's x that count in full.
    public static let full = 8

    /// The factor on the x of each feature of a record (context of an event or a request, attributes of an entity), in 0…1.
    /// Features beyond `Sequencer.largestFeature`, which are not taken, do not count.
    @inline(__always)
    public static func scale(_ features: UnsafeBufferPointer<FeatureEntry>, from first: Int = 0, count: Int) -> Float {
        count <= full ? 1 : crowded(features, from: first, count: count)
    }

    @inline(never)
    private static func crowded(_ features: UnsafeBufferPointer<FeatureEntry>, from first: Int, count: Int) -> Float {
        var sum: Float = 0, largest: Float = 0
        for index in first..<first + count where abs(features[index].weight) <= Sequencer.largestFeature {
            sum += abs(features[index].weight)
            largest = max(largest, abs(features[index].weight))
        }
        let most = Float(full) * largest
        return sum > most ? most / sum : 1
    }
}
