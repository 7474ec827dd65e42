"""What a daemon must have learned, computed from the acknowledged messages alone.

The daemon keeps, for each user shard and each item shard, the sum of mix(position, ordinal) over the interactions that it
has applied (README, "Proof"). Addition forgets the order, so that trainers may work side by side, and forgets nothing else:
an event lost, applied twice, or applied at another position or to another row changes a sum.
"""

MASK = (1 << 64) - 1
SHARDS = 64


def mix(position, ordinal):
    """The word that one applied interaction adds to its row's shard: the finalizer of SplitMix64 over both."""
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
        # States before the messages confirmed since `mark`, oldest first: (position, sums).
        self.history = None

    def confirm(self, message, position):
        """Counts a message, in the order of its source's sequence.

        position: that of its last event; None where the daemon did not say, because it had taken the message before: then
        it follows the message before, for the daemon lived on between the two.
        """
        count = len(message.users)
        first = (self.position if position is None else position - count) + 1
        if first <= self.position:
            raise AssertionError(f"position {first} was given to an event before: the last one confirmed is {self.position}")
        user_ordinals, item_ordinals, users, items = self.user_ordinals, self.item_ordinals, self.sums.users, self.sums.items
        for number in range(count):
            user = user_ordinals.setdefault(message.users[number], len(user_ordinals))
            item = item_ordinals.setdefault(message.items[number], len(item_ordinals))
            shard, place = user % SHARDS, first + number
            users[shard] = (users[shard] + mix(place, user)) & MASK
            shard = item % SHARDS
            items[shard] = (items[shard] + mix(place, item)) & MASK
        self.position = first + count - 1
        self.events += count
        if self.history is not None:
            self.history.append((self.position, self.sums.copy()))

    def mark(self):
        """Remembers every state from here on: what was confirmed now, and after each message to come."""
        self.history = [(self.position, self.sums.copy())]

    def find(self, sums):
        """Which of the remembered states has these sums: its index, or None."""
        return next((index for index, (_, state) in enumerate(self.history) if state == sums), None)
