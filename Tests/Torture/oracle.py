"""What a daemon must have learned, computed from the acknowledged messages alone.

The daemon keeps, for each shard of users and of items (ordinal mod 64), the sum of mix(position, ordinal) over the interactions
that it has applied. Addition forgets the order, so that trainers may work side by side, and forgets nothing else:
an event lost, applied twice, or applied at another position or to another row changes a sum.
"""

MASK = (1 << 64) - 1
SHARDS = 64


def mix(position, ordinal):
    """The word that one applied interaction adds to its row's shard."""
    word = (position * 0x9E3779B97F4A7C15 + ordinal) & MASK
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
    return word ^ (word >> 31)


class Sums:
    """The 2 × 64 sums."""

    def __init__(self, users=None, items=None):
        self.users = users or [0] * SHARDS
        self.items = items or [0] * SHARDS

    def copy(self):
        return Sums(list(self.users), list(self.items))

    def __eq__(self, other):
        return self.users == other.users and self.items == other.items

    def differing(self, other):
        """How many shards differ."""
        return sum(a != b for a, b in zip(self.users + self.items, other.users + other.items))


class Oracle:
    """Ordinals in the order of admission, and the sums of all that was confirmed."""

    def __init__(self):
        self.user_ordinals, self.item_ordinals = {}, {}
        self.sums = Sums()
        # The position of the last event confirmed, and how many events there were.
        self.position = 0
        self.events = 0
        # The positions that events not confirmed yet can have, in their order: first and last of each life that may have taken some,
        # the present one, which has no last, at the end.
        self.lives = [[1, None]]
        # The sums at `mark`, and every event since: (position, user, item).
        self.marked, self.since = None, []

    def begin_life(self, position, last):
        """The daemon has started: the next event that it takes gets the position after `position`; the last that it had, `last`."""
        self.lives[-1][1] = last
        self.lives = [life for life in self.lives if life[0] <= life[1]] + [[position + 1, None]]

    def _places(self, count):
        """The positions of the next events, and whether the last of them is of the present life."""
        places = []
        while len(places) < count:
            first, last = self.lives[0]
            taken = count - len(places) if last is None else min(count - len(places), last - first + 1)
            places += range(first, first + taken)
            self.lives[0][0] += taken
            is_present = last is None
            if last is not None and self.lives[0][0] > last:
                self.lives.pop(0)
        return places, is_present

    def confirm(self, message, is_new, position):
        """Counts a message, in the order of its source's sequence. With one source, positions of one life have no gaps.

        is_new: whether the present life took it, or its end, and not one before.
        position: what the daemon said: that of the message's last event at least; None where it said nothing.
        """
        count = len(message.users)
        places, is_present = self._places(count)
        if is_new and not is_present:
            raise AssertionError(f"{count} events up to {places[-1]} were there before the start, but were taken as new")
        if is_new and position is not None and position < places[-1]:
            raise AssertionError(f"{count} events up to {places[-1]} are acknowledged with {position}; the last before was {self.position}")
        user_ordinals, item_ordinals, users, items = self.user_ordinals, self.item_ordinals, self.sums.users, self.sums.items
        for place, user, item in zip(places, message.users, message.items):
            user = user_ordinals.setdefault(user, len(user_ordinals))
            item = item_ordinals.setdefault(item, len(item_ordinals))
            users[user % SHARDS] += mix(place, user)
            items[item % SHARDS] += mix(place, item)
            if self.marked is not None:
                self.since.append((place, user, item))
        for sums in (users, items):
            for shard in range(SHARDS):
                sums[shard] &= MASK
        self.position = places[-1]
        self.events += count

    def mark(self):
        """Remembers what was confirmed now, and every event from here on."""
        self.marked, self.since = self.sums.copy(), []

    def sums_at(self, position):
        """The sums when everything up to a position, at or after the mark, was applied and nothing else."""
        sums = self.marked.copy()
        for place, user, item in self.since:
            if place <= position:
                sums.users[user % SHARDS] = (sums.users[user % SHARDS] + mix(place, user)) & MASK
                sums.items[item % SHARDS] = (sums.items[item % SHARDS] + mix(place, item)) & MASK
        return sums
