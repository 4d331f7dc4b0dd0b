//! Words that many nodes have in common: each is kept once.

use std::sync::Arc;

/// A screen has a few dozen classes, and one or two apps. A dump of nothing but new ones must not be searched through for
/// each.
const KEPT: usize = 32;

/// The words met so far.
#[derive(Default)]
pub(super) struct SharedWords(Vec<Arc<str>>);

impl SharedWords {
    /// The word, shared with the others that are equal to it.
    pub(super) fn shared(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.0.iter().find(|known| ***known == *word) {
            return Arc::clone(known);
        }
        let new = Arc::<str>::from(word);
        if self.0.len() < KEPT {
            self.0.push(Arc::clone(&new));
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_words_are_one_and_more_than_are_kept_are_still_right() {
        let mut words = SharedWords::default();
        let first = words.shared("android.view.View");
        assert!(Arc::ptr_eq(&first, &words.shared("android.view.View")));
        for number in 0..100 {
            let word = format!("word {number}");
            assert_eq!(*words.shared(&word), *word);
        }
        assert!(Arc::ptr_eq(&first, &words.shared("android.view.View")));
    }
}
