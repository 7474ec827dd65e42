import Testing

@testable import Factorization

@Suite struct IdRemovalTests {
    @Test(arguments: 0..<6) func idsComeAndGoLikeADictionarys(seed: Int) {
        var dice = Dice(seed)
        let table = EntityTable(epochs: ReaderEpochs()), hashing = KeyHash(seed: UInt64(seed))
        var known: [Int: UInt32] = [:], holes: [UInt32] = []
        func withKey(_ id: Int, _ body: (Key) -> Void) {
            guard id % 3 == 0 else { return body(Key(integer: Int64(id), hashing: hashing)) }
            var text = String(repeating: "x", count: id % 50) + "\(id)"
            text.withUTF8 { body(Key(text: UnsafeRawBufferPointer($0), hashing: hashing)) }
        }
        for _ in 0..<20_000 {
            let id = dice.below(900)
            withKey(id) { key in
                #expect(table.find(key) == known[id] ?? Placement.none)
                if let ordinal = known[id] {
                    guard dice.below(2) == 0 else { return }
                    table.remove(ordinal, hashing: hashing)
                    known[id] = nil
                    holes.append(ordinal)
                } else {
                    let ordinal = holes.popLast() ?? table.admit(key)!
                    if Int(ordinal) < table.count { table.reuse(ordinal, for: key) }
                    table.publish(ordinal, key: key)
                    known[id] = ordinal
                }
            }
            #expect(table.liveCount == known.count && table.holeCount == holes.count)
        }
        for id in 0..<900 { withKey(id) { #expect(table.find($0) == known[id] ?? Placement.none) } }
        for (id, ordinal) in known { withKey(id) { #expect(table.key(ordinal, hashing: hashing).hash == $0.hash && !table.isHole(ordinal)) } }
        // Memory of texts that went is used again: 900 ids never need more than one chunk.
        #expect(table.usedBytes < 1 << 20 && table.count <= 900)
    }

    @Test func sightingsAreNeverTooFewAndSeldomTooMany() {
        let sightings = Sightings(bytes: 1 << 14)
        var dice = Dice(5), tooMany = 0
        // 2,000 sightings in 32,768 counters: after 32 for each of 256 lines all were halved, so some were, once.
        var truth: [UInt64: Int] = [:]
        for _ in 0..<2000 {
            let id = mix64(UInt64(dice.below(1000)))
            truth[id, default: 0] += 1
            let seen = sightings.add(id)
            #expect(2 * seen + 1 >= truth[id]!)
            if seen > truth[id]! { tooMany += 1 }
        }
        #expect(tooMany < 20)
        // An id that stays away is forgotten.
        let id = mix64(77_777)
        for _ in 0..<7 { _ = sightings.add(id) }
        for _ in 0..<4 * 32 * 256 { _ = sightings.add(mix64(UInt64(dice.below(200) + 5000))) }
        #expect(sightings.add(id) <= 3)
    }
}
