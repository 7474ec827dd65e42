import CKernels

/// The scan of a large catalogue by its copy (`RowCopy`): a bound above each score says who can still enter the list, and
/// only these are scored, by the row kernels, as the scan of floats scores them. So the answer is that scan's, bit for bit.
extension Scorer {
    /// Items from which on the copy is worth its memory.
    public static let usualCopySize = 16_384
    /// Bytes of coarse copy from which on helpers are worth being woken.
    private static let usualTeamBytes = 6 << 20

    /// Scans by the copy; false where there is none, or the query is beyond what its bounds are proven for.
    func scanCopy(_ model: Model, _ side: UserSide, _ constant: Float, _ attributes: AttributeScores?, count: Int) -> Bool {
        guard count >= copySize, let copy = model.items.copy, top.limit > 0 else { return false }
        guard scanQuery.prepare(side.query, width: model.width, constant: constant) else { return false }
        copy.meet(count)
        let task = ScanTask(table: model.items, copy: copy, kernels: model.kernels, query: scanQuery, count: count, attributes: attributes)
        let scan = CopyScan(model: model, side: side, constant: constant, attributes: attributes, boost: check.greatestBoost)
        let isWide = !isAlone && count * fk_coarse_bytes(model.width) / RowCopy.tileRows >= (copySize < Scorer.usualCopySize ? 0 : Scorer.usualTeamBytes)
        let isShared = isWide && count > ScanPart.stretch && engine.team.begin(task, from: ScanPart.stretch)
        reading {
            let found = part.scan(task, from: 0, threshold: -.infinity)
            seed(found, scan)
            takeFound(found, scan)
            if isShared { scanShared(task, scan) } else { scanAlone(task, scan) }
        }
        return true
    }

    /// What scoring a row takes.
    struct CopyScan {
        let model: Model
        let side: UserSide
        let constant: Float
        let attributes: AttributeScores?
        let boost: Float
    }

    /// Offers first what has the highest bounds of the first stretch, so that there is a threshold for the others.
    private func seed(_ found: Int, _ scan: CopyScan) {
        seeds.start(top.limit)
        for index in 0..<found where part.bounds[index] >= seeds.threshold {
            seeds.offer(ScoredItem(item: UInt32(index), score: part.bounds[index]))
        }
        for index in 0..<seeds.count {
            let place = Int(seeds[index].item)
            take(part.rows[place], bound: part.bounds[place], scan)
            // Below everything: it has had its turn.
            part.bounds[place] = -.infinity
        }
    }

    private func takeFound(_ found: Int, _ scan: CopyScan) {
        for index in 0..<found where part.bounds[index] != -.infinity { take(part.rows[index], bound: part.bounds[index], scan) }
    }

    private func scanAlone(_ task: ScanTask, _ scan: CopyScan) {
        for start in stride(from: ScanPart.stretch, to: task.count, by: ScanPart.stretch) {
            takeFound(part.scan(task, from: start, threshold: limit(scan.boost)), scan)
        }
    }

    private func scanShared(_ task: ScanTask, _ scan: CopyScan) {
        let team = engine.team
        team.publish(threshold: limit(scan.boost))
        while let first = team.claim(task.count) {
            for start in stride(from: first, to: min(first + ScanTeam.claim, task.count), by: ScanPart.stretch) {
                takeFound(part.scan(task, from: start, threshold: limit(scan.boost)), scan)
                team.take { take($0, bound: $1, scan) }
                team.publish(threshold: limit(scan.boost))
            }
        }
        team.end { take($0, bound: $1, scan) }
    }

    /// What a bound must reach, so that with a boost it may reach the list's threshold: a sum of two floats is at most so far
    /// above their exact sum.
    @inline(__always)
    private func limit(_ boost: Float) -> Float {
        let threshold = top.threshold
        return boost == 0 ? threshold : threshold - boost - (abs(threshold) + abs(boost)) * 0x1p-22
    }

    /// Scores a row that may enter the list, and offers it.
    private func take(_ item: UInt32, bound: Float, _ scan: CopyScan) {
        // Also where the bound is no number.
        if bound + scan.boost < top.threshold { return }
        guard check.admits(item) else { return }
        _ = scan.model.items.score(
            shard: Placement.shard(item), from: Int(Placement.local(item)), limit: 1, scan.side.query, constant: scan.constant, into: scores,
            scan.model.kernels)
        let score = scan.attributes?.score(item, own: scores[0], scan.side, constant: scan.constant) ?? scores[0]
        if score + scan.boost >= top.threshold { offerAdmitted(item, score: score) }
    }
}
