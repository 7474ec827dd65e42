import Glibc

/// Tables of `JSONWriter.writeShortest`: powers of ten from 10⁰ to 10¹³, and their inverses.
private struct Powers: @unchecked Sendable {
    // Sendable by hand: written once, before anybody has it.
    let up: UnsafeMutablePointer<Double>, down: UnsafeMutablePointer<Double>
    /// The digits of 0 to 99.
    let pairs: UnsafeMutablePointer<UInt8>

    init() {
        up = .allocate(capacity: 14)
        down = .allocate(capacity: 14)
        pairs = .allocate(capacity: 200)
        for number in 0..<200 { pairs[number] = UInt8(ascii: "0") + UInt8(number & 1 == 0 ? number / 20 : number / 2 % 10) }
        var power = 1.0
        for exponent in 0..<14 {
            up[exponent] = power
            down[exponent] = 1 / power
            power *= 10
        }
    }
}
private let powers = Powers()

extension JSONWriter {
    /// An array of floats, each in its shortest form.
    public mutating func array(_ numbers: [Float]) {
        beginArray()
        reserve(numbers.count * 16)
        for number in numbers { value(number) }
        endArray()
    }

    /// Writes the shortest decimal fraction that reads back as `number`; false where another way has to be taken: very large
    /// and very small numbers, powers of two, infinities, NaN.
    ///
    /// All decimals nearer than half a unit in the last place read back as the float. The number is scaled to nine digits
    /// before the point, of which nine always suffice; digits are dropped from the end as long as what remains is near enough.
    /// In doubles, the scaling is off by 10⁻¹⁶ of the number at most, half a unit is 3·10⁻⁸ of it: the margin taken off is far
    /// wider than the error. (Longer by a digit than need be it can be in one of ten million.)
    @inline(__always)
    mutating func writeShortest(_ number: Float) -> Bool {
        let magnitude = Double(number.magnitude)
        guard magnitude >= 1e-4, magnitude < 16_777_216, number.significandBitPattern != 0 else { return false }
        let powers = powers
        // 10^whole > magnitude: digits before the point, negative for zeros behind it.
        var whole = 0
        if magnitude >= 1 {
            while powers.up[whole] <= magnitude { whole &+= 1 }
        } else {
            while magnitude * powers.up[1 &- whole] < 1 { whole &-= 1 }
        }
        let scale = powers.up[9 &- whole], scaled = magnitude * scale
        let near = Double(number.magnitude.ulp) * 0.5 * scale * (1 - 1e-7)
        var digits = JSONWriter.nearest(scaled), dropped = 0
        while dropped < 9 {
            // From the number itself and not from what was rounded before.
            let shorter = JSONWriter.nearest(scaled * powers.down[dropped &+ 1])
            guard (Double(shorter) * powers.up[dropped &+ 1] - scaled).magnitude < near else { break }
            digits = shorter
            dropped &+= 1
        }
        write(digits: UInt64(bitPattern: digits), dropped: dropped, whole: whole, isNegative: number < 0)
        return true
    }

    /// The nearest integer, of two the even one, as `Float.description` has it; without a call to the mathematical library.
    @inline(__always)
    private static func nearest(_ value: Double) -> Int64 {
        let up = Int64(value + 0.5)
        return up & 1 == 1 && Double(up) - value == 0.5 ? up &- 1 : up
    }

    /// Writes digits · 10^(whole − 9 + dropped), with a point and a digit behind it at least.
    @inline(__always)
    private mutating func write(digits: UInt64, dropped: Int, whole: Int, isNegative: Bool) {
        startNumber()
        // From the last byte to the first, then moved to its place: at most 23 bytes.
        reserve(96)
        let end = buffer + count + 64
        var place = end, rest = digits
        var behind = 9 &- whole &- dropped
        if behind <= 0 {
            place -= 1
            place.pointee = UInt8(ascii: "0")
        } else {
            while behind >= 2 {
                let pair = Int(truncatingIfNeeded: rest % 100)
                rest /= 100
                place -= 2
                place[0] = powers.pairs[2 &* pair]
                place[1] = powers.pairs[2 &* pair &+ 1]
                behind &-= 2
            }
            if behind > 0 {
                place -= 1
                place.pointee = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
                behind = 0
            }
        }
        place -= 1
        place.pointee = UInt8(ascii: ".")
        while behind < 0 {
            place -= 1
            place.pointee = UInt8(ascii: "0")
            behind &+= 1
        }
        repeat {
            place -= 1
            place.pointee = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        if isNegative {
            place -= 1
            place.pointee = UInt8(ascii: "-")
        }
        finishNumber(from: place, to: end)
    }
}
