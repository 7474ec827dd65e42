import Foundation
import Synchronization
import Testing

@testable import Factorization

@Suite struct TrainerQueueTests {
    private static func record(_ number: Int, features: Int) -> TrainingRecord {
        TrainingRecord(
            position: UInt64(number), user: UInt32(number), item: UInt32(truncatingIfNeeded: number &* 7), catalogue: 1,
            value: Float(number % 1000), weight: 1, type: 3, featureCount: features, kind: .interaction, hasValue: true)
    }

    @Test func carriesEveryRecordInOrderWithItsFeatures() {
        let queue = TrainerQueue(capacity: 64), total = 60_000
        let wrong = Atomic<Int>(0)
        let producer: @Sendable () -> Void = {
            for number in 1...total {
                let features = number % 9
                while !queue.hasSpace(features: features) {
                    queue.publish(position: UInt64(number - 1))
                    sched_yield()
                }
                for index in 0..<features { queue.append(ResolvedFeature(ordinal: UInt32(number), weight: Float(index))) }
                queue.append(TrainerQueueTests.record(number, features: features))
                if number % 7 == 0 { queue.publish(position: UInt64(number)) }
            }
            queue.publish(position: UInt64(total))
        }
        let consumer: @Sendable () -> Void = {
            var expected = 1
            while expected <= total {
                let (issued, first, count) = queue.waiting()
                if count > queue.capacity { wrong.add(1, ordering: .relaxed) }
                var features = 0
                for offset in 0..<count {
                    let record = queue.record(first + offset).pointee
                    let own = Int(record.featureCount)
                    if record.position != UInt64(expected) || own != expected % 9 || record.user != UInt32(expected) {
                        wrong.add(1, ordering: .relaxed)
                    }
                    for index in 0..<own {
                        let feature = queue.view.feature(queue.firstFeature + features + index)
                        if feature.ordinal != UInt32(expected) || feature.weight != Float(index) { wrong.add(1, ordering: .relaxed) }
                    }
                    features += own
                    expected += 1
                }
                // All that `issued` covers was visible.
                if issued >= UInt64(expected) { wrong.add(1, ordering: .relaxed) }
                queue.release(count: count, features: features)
                if count == 0 { sched_yield() }
            }
        }
        onThreads([producer, consumer])
        #expect(wrong.load(ordering: .relaxed) == 0 && queue.depth == 0)
    }

    @Test func refusesWhatDoesNotFit() {
        let queue = TrainerQueue(capacity: 4)
        for number in 1...4 {
            #expect(queue.hasSpace(features: 0))
            queue.append(TrainerQueueTests.record(number, features: 0))
        }
        #expect(!queue.hasSpace(features: 0))
        queue.publish(position: 4)
        queue.release(count: 1, features: 0)
        #expect(queue.hasSpace(features: queue.featureCapacity) && !queue.hasSpace(features: queue.featureCapacity + 1))
    }

    @Test func whoeverMissedARecordMayNotSleep() {
        let queue = TrainerQueue(capacity: 4)
        #expect(queue.prepareSleep(seen: queue.waiting().issued) && queue.takeWakeUp() && !queue.takeWakeUp())
        let (issued, _, _) = queue.waiting()
        queue.append(TrainerQueueTests.record(1, features: 0))
        queue.publish(position: 1)
        #expect(!queue.prepareSleep(seen: issued) && !queue.takeWakeUp())
        #expect(queue.prepareSleep(seen: queue.waiting().issued) && queue.takeWakeUp())
    }

    @Test(arguments: [(4, 2), (64, 2), (1024, 32)])
    func aProducerIsWokenOnceThereIsRoomEnough(capacity: Int, room: Int) {
        let queue = TrainerQueue(capacity: capacity)
        #expect(queue.leastRoom == room)
        for number in 1...capacity - room { queue.append(TrainerQueueTests.record(number, features: 0)) }
        queue.publish(position: UInt64(capacity - room))
        #expect(!queue.prepareWait() && !queue.takeWaiter(), "there is room: nothing to wait for, nobody to wake")
        for number in capacity - room + 1...capacity { queue.append(TrainerQueueTests.record(number, features: 0)) }
        queue.publish(position: UInt64(capacity))
        #expect(queue.prepareWait())
        queue.release(count: room - 1, features: 0)
        #expect(!queue.takeWaiter())
        queue.release(count: 1, features: 0)
        #expect(queue.takeWaiter() && !queue.takeWaiter())
    }

    /// The consumer sleeps on a semaphore that only `takeWakeUp` raises: a lost wake-up would leave it there.
    @Test func noWakeUpIsLost() {
        let queue = TrainerQueue(capacity: 64), total = 20_000
        let bell = DispatchSemaphore(value: 0)
        let lost = Atomic<Int>(0)
        let producer: @Sendable () -> Void = {
            for number in 1...total {
                // Just one waits at a time: no later record makes up for a lost wake-up.
                while queue.depth > 0 && lost.load(ordering: .relaxed) == 0 { sched_yield() }
                queue.append(TrainerQueueTests.record(number, features: 0))
                queue.publish(position: UInt64(number))
                if queue.takeWakeUp() { bell.signal() }
            }
        }
        let consumer: @Sendable () -> Void = {
            var taken = 0
            while taken < total {
                let (issued, _, count) = queue.waiting()
                queue.release(count: count, features: 0)
                taken += count
                if count == 0 && queue.prepareSleep(seen: issued) && bell.wait(timeout: .now() + 10) == .timedOut {
                    lost.add(1, ordering: .relaxed)
                    return
                }
            }
        }
        onThreads([producer, consumer])
        #expect(lost.load(ordering: .relaxed) == 0)
    }

    @Test func aFullQueueStopsTheSequencerWithoutLossOrRepeat() {
        let settings = EngineSettings(models: [ModelSettings(rank: 4, negatives: 0)], trainers: 3, queueCapacity: 8)
        let engine = Engine(settings: settings), builder = BatchBuilder(engine)
        let events = randomEvents(500, users: 50, items: 40, seed: 4)
        for event in events { builder.append(event) }
        var index = 0, stops = 0
        while index < events.count {
            let next = engine.sequencer.take(builder.batch, from: index)
            #expect(engine.sequencer.lastPosition == UInt64(next))
            if next < events.count { stops += 1 }
            index = next
            for trainer in engine.trainers where trainer.index == stops % 3 || index == events.count { _ = trainer.drain() }
        }
        #expect(stops > 10)
        #expect(engine.trainers.reduce(0) { $0 + $1.interactions } == events.count)
        #expect(engine.appliedPosition == UInt64(events.count))
        for user in Set(events.map(\.user)) {
            #expect(engine.users.frequency(engine.user(user)) == Float(events.filter { $0.user == user }.count))
        }
    }

    /// More features than the ring holds: the event is taken without the surplus instead of stopping the stream.
    @Test func anEventWithTooManyFeaturesDoesNotStopTheStream() {
        let engine = Engine(settings: EngineSettings(models: [ModelSettings(rank: 4, negatives: 0)], queueCapacity: 8))
        let features = (0..<5000).map { TestFeature(field: "f", value: Int64($0)) }
        let builder = BatchBuilder(engine)
        builder.append(TestEvent(user: 1, item: 1, value: 1, context: features))
        #expect(engine.sequencer.take(builder.batch, from: 0) == 1)
        #expect(engine.sequencer.refusals.first { $0.reason == .badFeature }?.count == 1)
        #expect(engine.sequencer.lastRefusals.map(\.record) == [0])
        #expect(engine.trainers[0].drain() == 1)
    }

    @Test func aRecordKeepsWhatItIs() {
        for type in [UInt16(0), 1, 1023] {
            for kind in (0...255).compactMap(RecordKind.init(rawValue:)) {
                for featureCount in [0, 1, Sequencer.featureLimit, AttributeLists.longest + 2] {
                    for hasValue in [false, true] {
                        let record = TrainingRecord(
                            position: .max, user: .max, item: .max, catalogue: .max, value: 1, weight: 2, type: type,
                            featureCount: featureCount, kind: kind, hasValue: hasValue)
                        #expect(record.type == type && record.kind == kind && record.featureCount == featureCount)
                        #expect(record.hasValue == hasValue)
                    }
                }
            }
        }
        #expect(EventTypes.capacity <= 1024)
    }
}
