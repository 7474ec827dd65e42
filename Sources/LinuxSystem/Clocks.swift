import Glibc

/// Time for intervals, deadlines and latencies: it never jumps, and counts from an arbitrary start.
public enum MonotonicClock {
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    public static var nanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Lets the calling thread rest for about this long.
    public static func sleep(microseconds: Int) {
        var time = timespec(tv_sec: microseconds / 1_000_000, tv_nsec: microseconds % 1_000_000 * 1000)
        nanosleep(&time, nil)
        Pulse.beat()
    }
}

/// What the calling thread has computed, whatever else the machine does meanwhile.
public enum ProcessorClock {
    /// Nanoseconds of `CLOCK_THREAD_CPUTIME_ID`.
    public static var threadNanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// Time for people and for event stamps: it may jump either way, so nothing may wait by it, and nothing expires by it but
/// what was given a date.
public enum WallClock {
    /// Milliseconds since 1970-01-01 UTC.
    public static var milliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
