//! Words that many nodes have in common: each is kept once.

use std::sync::Arc;

use super::text::resolved;

/// A screen has a few dozen classes, and one or two apps. A dump of nothing but new ones must not be searched through for
/// each.
const KEPT: usize = 32;

/// The words met so far, as they stand in the dump and as they are meant.
#[derive(Default)]
pub(super) struct SharedWords(Vec<(Box<str>, Arc<str>)>);

impl SharedWords {
    /// The word that an attribute's value means, shared with the others that stand there alike.
    pub(super) fn shared(&mut self, value: &str) -> Arc<str> {
        if let Some((_, word)) = self.0.iter().find(|(known, _)| **known == *value) {
            return Arc::clone(word);
        }
        let word = Arc::<str>::from(&*resolved(value));
        if self.0.len() < KEPT {
            self.0.push((value.into(), Arc::clone(&word)));
        }
        word
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
