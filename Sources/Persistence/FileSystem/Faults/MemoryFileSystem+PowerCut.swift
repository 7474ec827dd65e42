internal import LinuxSystem

/// What is left of a disk in memory after its machine, or its program, stopped.
extension MemoryFileSystem {
    /// The disk after a power cut: of all that was not synced, each name, each change of size and each sector of each
    /// write survives or not by chance, whatever came later. A sector that was written twice may show any of its versions.
    /// - Parameter sectorBytes: what the disk writes in one piece.
    public func afterPowerCut(_ random: inout some RandomNumberGenerator, sectorBytes: Int = 512) -> MemoryFileSystem {
        var next = state.withLock { $0 }
        // In a fixed order, so that a seed gives one disk.
        for path in Set(next.live.keys).union(next.durable.keys).sorted() where next.live[path] != next.durable[path] {
            next.live[path] = Bool.random(using: &random) ? next.live[path] : next.durable[path]
        }
        for index in next.inodes.indices { next.inodes[index].cut(&random, sectorBytes: sectorBytes) }
        return next.restarted()
    }

    /// The disk after a power cut that lost everything unsynced.
    public func withoutUnsynced() -> MemoryFileSystem {
        var next = state.withLock { $0 }
        next.live = next.durable
        for index in next.inodes.indices { next.inodes[index].unsynced.removeAll() }
        for index in next.inodes.indices { next.inodes[index].live = next.inodes[index].durable }
        return next.restarted()
    }

    /// The disk that a program finds which starts after this one was killed: everything is there, unsynced or not. What
    /// a failed sync did not write still shows, until the cache is dropped, and no sync writes it any more.
    public func afterKill() -> MemoryFileSystem {
        var next = state.withLock { $0 }
        for index in next.inodes.indices where next.inodes[index].syncFailed {
            next.inodes[index].syncFailed = false
            next.inodes[index].isStale = true
        }
        next.locks = []
        next.counter = FaultCounter()
        return MemoryFileSystem(next)
    }
}

extension MemoryFileSystem.State {
    /// What survived is durable, and nobody holds a lock.
    fileprivate consuming func restarted() -> MemoryFileSystem {
        var next = self
        next.durable = next.live
        for index in next.inodes.indices {
            let found = next.inodes[index].live
            next.inodes[index] = MemoryFileSystem.Inode(live: found, durable: found)
        }
        next.locks = []
        next.counter = FaultCounter()
        return MemoryFileSystem(next)
    }
}

extension MemoryFileSystem.Inode {
    fileprivate mutating func cut(_ random: inout some RandomNumberGenerator, sectorBytes: Int) {
        live = durable
        // How much of it came through differs from cut to cut: sometimes nearly all, sometimes nearly nothing.
        let kept = UInt64.random(in: 0...100, using: &random)
        for change in unsynced {
            switch change {
            case .size:
                if UInt64.random(in: 0..<100, using: &random) < kept { change.apply(to: &live) }
            case .write(let start, let bytes):
                var offset = start
                while offset < start + bytes.count {
                    let end = min(start + bytes.count, (offset / sectorBytes + 1) * sectorBytes)
                    if UInt64.random(in: 0..<100, using: &random) < kept {
                        Change.write(at: offset, Array(bytes[offset - start..<end - start])).apply(to: &live)
                    }
                    offset = end
                }
            }
        }
        unsynced.removeAll()
    }
}
