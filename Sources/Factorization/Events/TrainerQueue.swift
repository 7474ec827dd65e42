import Synchronization

/// A feature of a record with its row resolved.
struct ResolvedFeature {
    /// Ordinal in the context table.
    var ordinal: UInt32
    /// x of the feature.
    var weight: Float
}

/// Records on their way from the sequencer to one trainer: a bounded single-producer/single-consumer ring (Lamport 1983),
/// with a second ring for the records' features.
///
/// Thread safety: `append`, `publish` and `space` belong to the producer (the sequencer's thread), `take` and `release` to
/// the consumer (the trainer's thread); the getters are for anyone.
final class TrainerQueue: @unchecked Sendable {
    let capacity: Int
    let featureCapacity: Int
    /// Free places that end a producer's wait.
    let leastRoom: Int
    private let records: UnsafeMutablePointer<TrainingRecord>
    private let features: UnsafeMutablePointer<ResolvedFeature>

    // The consumer's line.
    private let head = Atomic<Int>(0)
    private let featureHead = Atomic<Int>(0)
    private let headPadding = InlineArray<14, UInt64>(repeating: 0)
    // The producer's line.
    private let tail = Atomic<Int>(0)
    /// Every event up to here that concerns this trainer lies before `tail`.
    private let issued = Atomic<UInt64>(0)
    private let tailPadding = InlineArray<14, UInt64>(repeating: 0)
    /// Set by a consumer that is about to sleep, taken by the producer that wakes it.
    private let asleep = Atomic<Bool>(false)

    /// Set by a producer that waits for room, taken by the consumer that made some.
    private let wanted = Atomic<Bool>(false)

    /// Producer only: written but not yet published, and the consumer's last known place.
    private var writing = 0
    private var featureWriting = 0
    private var knownHead = 0
    private var knownFeatureHead = 0

    /// - Parameters:
    ///   - capacity: records, a power of two.
    ///   - featuresPerRecord: room in the feature ring for each record, a power of two. Memory that is not touched where records have
    ///     none; where they have more, `prepareWait` sees no want of room, and a producer that waits has to look for itself.
    init(capacity: Int, featuresPerRecord: Int = 8) {
        precondition(capacity > 0 && capacity & (capacity - 1) == 0, "the capacity of a queue is a power of two")
        self.capacity = capacity
        featureCapacity = max(capacity * featuresPerRecord, 4096)
        leastRoom = max(2, capacity / 32)
        records = .allocate(capacity: capacity)
        features = .allocate(capacity: featureCapacity)
    }

    deinit {
        for index in head.load(ordering: .relaxed)..<writing {
            record(index).pointee.takeTables()?.release()
            record(index).pointee.takeBatch()?.release()
        }
        records.deallocate()
        features.deallocate()
    }

    /// Records that wait.
    var depth: Int { max(0, tail.load(ordering: .acquiring) - head.load(ordering: .acquiring)) }

    // MARK: Producer

    /// Whether `records` records with `features` features together fit now.
    @inline(__always)
    func hasSpace(features: Int, records: Int = 1) -> Bool {
        if writing &+ records &- knownHead <= capacity && featureWriting &+ features &- knownFeatureHead <= featureCapacity { return true }
        knownHead = head.load(ordering: .acquiring)
        knownFeatureHead = featureHead.load(ordering: .acquiring)
        return writing &+ records &- knownHead <= capacity && featureWriting &+ features &- knownFeatureHead <= featureCapacity
    }

    /// Adds a feature of the record that `append` adds next.
    @inline(__always)
    func append(_ feature: ResolvedFeature) {
        (features + featureWriting & (featureCapacity &- 1)).initialize(to: feature)
        featureWriting &+= 1
    }

    @inline(__always)
    func append(_ record: TrainingRecord) {
        (records + writing & (capacity &- 1)).initialize(to: record)
        writing &+= 1
    }

    /// How many records without features fit now.
    @inline(__always)
    var room: Int {
        if writing &- knownHead == capacity { knownHead = head.load(ordering: .acquiring) }
        return capacity &- (writing &- knownHead)
    }

    /// Adds several records without features, for which there is room.
    @inline(__always)
    func append(count: Int, _ record: (Int) -> TrainingRecord) {
        let records = records, mask = capacity &- 1, writing = writing
        for index in 0..<count { (records + (writing &+ index) & mask).initialize(to: record(index)) }
        self.writing = writing &+ count
    }

    /// Shows the consumer all that was appended; `position` is the last position given out to anyone.
    func publish(position: UInt64) {
        tail.store(writing, ordering: .releasing)
        issued.store(position, ordering: .sequentiallyConsistent)
    }

    /// Whether the consumer sleeps and is now to be woken, once.
    func takeWakeUp() -> Bool {
        asleep.load(ordering: .sequentiallyConsistent) && asleep.exchange(false, ordering: .sequentiallyConsistent)
    }

    /// Announces a wait for `leastRoom` free places: to be woken for each would cost more than the place is worth, and to wait for
    /// many leaves this thread's processor idle while the other thread has all the work. False when that much is free already.
    func prepareWait() -> Bool {
        wanted.store(true, ordering: .sequentiallyConsistent)
        if writing &- head.load(ordering: .sequentiallyConsistent) > capacity &- leastRoom { return true }
        wanted.store(false, ordering: .sequentiallyConsistent)
        return false
    }

    // MARK: Consumer

    /// Whether a producer waits and is now to be woken, once. A consumer that looks between two releases may miss one that
    /// is just going to wait, and finds it the next time; the producer does not wait without end.
    @inline(__always)
    func takeWaiter() -> Bool {
        guard wanted.load(ordering: .relaxed), depth <= capacity &- leastRoom else { return false }
        return wanted.exchange(false, ordering: .sequentiallyConsistent)
    }

    /// What waits: the position up to which all of this trainer's events are visible, then the records.
    @inline(__always)
    func waiting() -> (issued: UInt64, first: Int, count: Int) {
        let issued = issued.load(ordering: .acquiring)
        let first = head.load(ordering: .relaxed)
        return (issued, first, tail.load(ordering: .acquiring) &- first)
    }

    @inline(__always)
    func record(_ index: Int) -> UnsafeMutablePointer<TrainingRecord> { records + index & (capacity &- 1) }

    /// The rings as the consumer's loop holds them: plain words without reference counting.
    struct View {
        let records: UnsafeMutablePointer<TrainingRecord>
        let recordMask: Int
        let features: UnsafeMutablePointer<ResolvedFeature>
        let featureMask: Int

        @inline(__always)
        func record(_ index: Int) -> UnsafeMutablePointer<TrainingRecord> { records + index & recordMask }
        @inline(__always)
        func feature(_ index: Int) -> ResolvedFeature { features[index & featureMask] }
    }

    var view: View { View(records: records, recordMask: capacity - 1, features: features, featureMask: featureCapacity - 1) }

    /// The number of the first feature not yet released.
    var firstFeature: Int { featureHead.load(ordering: .relaxed) }

    /// Gives the places of `count` records and `features` features back to the producer.
    @inline(__always)
    func release(count: Int, features: Int) {
        featureHead.store(featureHead.load(ordering: .relaxed) &+ features, ordering: .releasing)
        head.store(head.load(ordering: .relaxed) &+ count, ordering: .releasing)
    }

    /// Announces sleep. False when something arrived meanwhile and the consumer has to look again.
    func prepareSleep(seen: UInt64) -> Bool {
        asleep.store(true, ordering: .sequentiallyConsistent)
        if issued.load(ordering: .sequentiallyConsistent) == seen { return true }
        asleep.store(false, ordering: .sequentiallyConsistent)
        return false
    }
}
