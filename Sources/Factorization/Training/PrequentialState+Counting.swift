import CKernels

/// Counting, on the trainer's thread.
extension PrequentialState {
    /// Counts the first `count` events of a batch; answers how many items they have.
    mutating func count(_ batch: UnsafePointer<fk_batch>, _ softplus: UnsafePointer<Float>?, count: Int, _ kernels: Kernels) -> Int {
        var event = 0, item = 0
        while event < count {
            let first = event, firstItem = item
            event += kernels.count(&plain, batch, event, count - event, &item, softplus)
            // Up to the mark and no further, lest what a mark holds depend on how events fall into calls.
            if softplus != nil { calibrate(batch.pointee, first..<event, item: firstItem) }
            endBatch(through: batch.pointee.positions[event - 1])
        }
        return item
    }

    /// Takes the sampled ones of some events.
    private mutating func calibrate(_ batch: fk_batch, _ events: Range<Int>, item firstItem: Int) {
        var item = firstItem
        for event in events {
            let end = item &+ Int(batch.counts[event])
            if PrequentialWindow.isSampled(batch.positions[event]) {
                window.beginEvent()
                for index in item..<end { window.calibrate(score: batch.scores[index], label: batch.labels[index]) }
            }
            item = end
        }
    }

    /// Counts one event by its scores and, where the loss is logistic, ln(1 + exp(score)) of each.
    @inline(__always)
    mutating func count(
        _ scores: UnsafePointer<Float>, _ softplus: UnsafePointer<Float>, label: Float, count: Int, position: UInt64,
        _ kind: ModelSettings.Loss
    ) {
        let score = scores[0]
        var loss = 0.0, wins = 0.0, compared = count - 1
        func compare(_ other: Float) { wins += other < score ? 1 : other == score ? 0.5 : 0 }
        switch kind {
        case .squared:
            let isFirst = plain.lowest > plain.highest
            let error = Double(isFirst ? score : min(max(score, plain.lowest), plain.highest)) - Double(label)
            loss = error * error
            (compared, wins) = (0, error.magnitude)
            plain.lowest = min(plain.lowest, label)
            plain.highest = max(plain.highest, label)
        case .logistic:
            var sum = Double(softplus[0] - label * score)
            for index in 1..<max(count, 1) {
                sum += Double(softplus[index])
                compare(scores[index])
            }
            loss = count == 1 ? sum : sum / Double(count)
        case .bpr:
            guard count > 1 else { return }
            for index in 1..<count {
                loss += Double(fk_softplus(scores[index] - score))
                compare(scores[index])
            }
            loss /= Double(count - 1)
        case .warp:
            // Later negatives are tried only where the first is no violation: the first alone is a fair sample.
            guard count > 1 else { return }
            compared = 1
            loss = Double(max(0, 1 + scores[1] - score))
            compare(scores[1])
        }
        guard loss.isFinite else { return }
        fk_tally_add(&plain, loss, Double(compared), wins)
        endBatch(through: position)
    }

    /// Where a batch of the alarm is full, hands it its mean.
    @inline(__always)
    private mutating func endBatch(through position: UInt64) {
        guard plain.batch_count == UInt32(fk_tally_batch) else { return }
        alarm.take(mean: batchLoss / Double(fk_tally_batch), through: position)
        plain.batch_loss = (0, 0, 0, 0)
        plain.batch_count = 0
        window.mark(sums)
    }
}
