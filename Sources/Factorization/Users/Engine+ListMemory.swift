extension Engine {
    /// Has `action` called, by the trainer concerned, whenever memory for users' lists becomes short: for a thread of the caller's to
    /// `makeListMemoryReady`. Said once. Without it trainers find memory themselves.
    public func attachListMemory(_ action: @escaping @Sendable () -> Void) { shared.userItems.memory.attach(action) }

    /// Makes memory ready that users' lists will need next, a sixteenth of what they have and at most 8 MiB. One thread at a time.
    public func makeListMemoryReady() { shared.userItems.memory.makeReady() }
}
