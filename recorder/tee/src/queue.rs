//! Bytes that were accepted and wait to be written. Not a ring: it is empty nearly always, and then a write goes past it.

/// Bytes in order, taken from the front.
#[derive(Default)]
pub(crate) struct Queue {
    bytes: Vec<u8>,
    head: usize,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.head
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn front(&self) -> &[u8] {
        &self.bytes[self.head..]
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        // Moves what is left at most as often as the same amount was written.
        if self.head > self.len() {
            self.bytes.drain(..self.head);
            self.head = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// All of `bytes`, which is empty afterwards: not even copied where nothing waits before them.
    pub(crate) fn append(&mut self, bytes: &mut Vec<u8>) {
        if self.is_empty() {
            self.head = 0;
            std::mem::swap(&mut self.bytes, bytes);
        } else {
            self.push(bytes);
        }
        bytes.clear();
    }

    pub(crate) fn taken(&mut self, count: usize) {
        self.head += count.min(self.len());
        if self.is_empty() {
            self.clear();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.head = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_over_any_pushes_and_takes() {
        let mut queue = Queue::default();
        let (mut next_in, mut next_out) = (0u8, 0u8);
        for round in 0..1000usize {
            let block: Vec<u8> = (0..round % 7)
                .map(|_| {
                    next_in = next_in.wrapping_add(1);
                    next_in
                })
                .collect();
            if round % 3 == 0 {
                queue.push(&block);
            } else {
                let mut block = block;
                queue.append(&mut block);
                assert!(block.is_empty());
            }
            let count = (round % 5).min(queue.len());
            for byte in &queue.front()[..count] {
                next_out = next_out.wrapping_add(1);
                assert_eq!(*byte, next_out);
            }
            queue.taken(count);
        }
        assert!(queue.len() < 2000 && next_out > 0);
    }
}
