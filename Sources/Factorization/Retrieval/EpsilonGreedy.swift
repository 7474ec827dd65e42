/// The probabilities of an ε-greedy list.
///
/// The list is made place by place: with probability 1 − ε the best item left, with ε any item left, each alike. N items may be in
/// the list; R = N − l + 1 are left before place l. Given the places before it, an item comes to place l with probability
/// (1 − ε)·[it is the best left] + ε/R, and the whole list with the product of these.
///
/// Over all that may come before, the item of rank r (1 for the best) is at place k with
///
///     Σⱼ p(k, j) · ((1 − ε)·[j = r − 1] + ε/(N − k + 1))
///
/// where p(l, j) is the probability that before place l the item is not taken and j of the r − 1 better ones are: p(1, 0) = 1, and
/// place l moves
///
///     j → j + 1    (1 − ε)·[j < r − 1] + ε·(r − 1 − j)/R     a better one is taken
///     j → j        ε·(R − 1 − (r − 1 − j))/R                 a worse one is
///
/// the rest being that the item itself is. An item of a rank past k can only come by chance.
enum EpsilonGreedy {
    /// - Parameters:
    ///   - rank: from 1; any number past `place` for an item that is not among the best `place`.
    ///   - place: from 1.
    static func propensity(rank: Int, place: Int, candidates: Int, epsilon: Double) -> Double {
        guard rank <= place else {
            // Each place before could have taken it by chance alone.
            let missed = (1..<place).reduce(1.0) { $0 * (1 - epsilon / Double(candidates - $1 + 1)) }
            return missed * epsilon / Double(candidates - place + 1)
        }
        let better = rank - 1
        var open = [Double](repeating: 0, count: better + 2)
        open[0] = 1
        for earlier in 1..<place {
            let left = Double(candidates - earlier + 1)
            for taken in stride(from: min(better, earlier - 1), through: 0, by: -1) {
                let ahead = Double(better - taken), now = open[taken]
                open[taken + 1] += now * ((taken < better ? 1 - epsilon : 0) + epsilon * ahead / left)
                open[taken] = now * epsilon * (left - 1 - ahead) / left
            }
        }
        let chance = epsilon / Double(candidates - place + 1)
        return (0...better).reduce(0) { $0 + open[$1] * ((($1 == better) ? 1 - epsilon : 0) + chance) }
    }
}
