import CKernels
import Synchronization

/// What happens to rows that went bad, and to those that are to go.
extension Learner {
    /// A score was not finite, so some row of the event is bad: rows that hold such a value go back to their first values
    /// rather than spread it.
    @inline(never)
    func mend(_ record: UnsafeMutablePointer<TrainingRecord>, rejected count: Int, count items: Int) {
        rejected.add(count, ordering: .relaxed)
        mend(model.users, record.pointee.user)
        for index in 0..<items {
            mend(model.items, ordinals[index])
            guard let list = model.attributes.items[ordinals[index]] else { continue }
            for place in 0..<list.count { mend(model.itemAttributes, list[place].ordinal) }
        }
        if let parameters = model.parameters {
            let size = model.kernels.dot(parameters.floats(0), parameters.floats(0), parameters.count)
            if !size.isFinite { parameters.reset() }
        }
        let stoodAlone = record.pointee.featureCount == 0 && model.histories == nil && !hasAttributes(record.pointee.user)
        guard !stoodAlone || isSamplingFree else { return }
        for index in 1..<side.rowCount {
            let row = side.rows[index]
            mend(model.table(row.group), row.ordinal)
        }
    }

    func mend(_ table: FactorTable, _ ordinal: UInt32) {
        let state = fk_read_state(table.state(ordinal))
        let size = table.withCopy(ordinal, model.kernels) { model.kernels.dot($0, $0, table.stride) }
        let z = table.linear(ordinal).z.map { model.kernels.dot($0, $0, 1) } ?? 0
        if !(size.isFinite && state.weight.isFinite && z.isFinite) { table.reset(ordinal) }
    }

    /// Puts a user's row back to its first values.
    func forget(user: UInt32) { model.users.reset(user) }
}
