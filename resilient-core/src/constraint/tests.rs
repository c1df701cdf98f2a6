//! Rules found for violations, and the words made of them.

mod matching;
mod words;
