import CKernels

/// Rows read and written whole, whatever form the table holds them in. For what is not on the way of every event; there,
/// `RowBench` stands between.
extension FactorTable {
    /// A row's first `count` floats: where they lie, or widened into `scratch`.
    @inline(__always)
    func read(_ ordinal: UInt32, count: Int, _ scratch: UnsafeMutablePointer<Float>, _ kernels: Kernels) -> UnsafeMutablePointer<Float> {
        guard isHalf else { return factors(ordinal) }
        kernels.widen(scratch, rows.halves(ordinal), count)
        return scratch
    }

    /// Writes a row's first `count` floats.
    /// - Parameter word: what the rounding follows from, another one each time.
    func write(_ ordinal: UInt32, _ floats: UnsafePointer<Float>, count: Int, word: UInt64, _ kernels: Kernels) {
        if isHalf {
            kernels.narrow(rows.halves(ordinal), floats, count, rows.chance(ordinal, word))
        } else {
            kernels.copy(factors(ordinal), floats, count)
        }
        copy?.touch(ordinal)
    }

    /// Calls `body` with a copy of a row and its tail.
    func withCopy<Value>(_ ordinal: UInt32, _ kernels: Kernels, _ body: (UnsafePointer<Float>) -> Value) -> Value {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: stride) { copy in
            if isHalf {
                kernels.widen(copy.baseAddress, rows.halves(ordinal), stride)
            } else {
                kernels.copy(copy.baseAddress, factors(ordinal), stride)
            }
            return body(copy.baseAddress!)
        }
    }

    /// out[i] = constant + weight + ⟨query, row⟩ of the rows of one shard from `local` on; answers how many lay in one piece.
    func score(
        shard: Int, from local: Int, limit: Int, _ query: UnsafePointer<Float>, constant: Float, into out: UnsafeMutablePointer<Float>,
        _ kernels: Kernels
    ) -> Int {
        let run = run(shard: shard, from: local, limit: limit)
        if isHalf {
            kernels.scoreBfloats(
                query, constant, run.factors.assumingMemoryBound(to: fk_bfloat.self), run.states, run.count, width, stride, out)
        } else {
            kernels.scoreRows(query, constant, run.factors.assumingMemoryBound(to: Float.self), run.states, run.count, width, stride, out)
        }
        return run.count
    }
}

extension FactorRows {
    /// What the rounding of a row follows from: a word of the occasion, and the row.
    @inline(__always)
    func chance(_ ordinal: UInt32, _ word: UInt64) -> UInt64 { mix64(word &+ firstSeed(ordinal)) }
}
