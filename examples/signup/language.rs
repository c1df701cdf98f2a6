//! Messages in the language of whoever asked: a resolver reads it from the task.

use std::fmt;

use resilient_sea_orm::{Violation, constraint::Translation};

#[derive(Clone, Copy, Debug)]
pub enum Language {
    English,
    German,
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::English => "en",
            Self::German => "de",
        })
    }
}

tokio::task_local! {
    /// What a web service would take from the request.
    pub static LANGUAGE: Language;
}

/// The words for a violation, by its code. English ones were declared.
pub fn translate(violation: &Violation) -> Option<Translation> {
    match LANGUAGE.try_with(|language| *language) {
        Ok(Language::German) => {}
        _ => return None,
    }
    Some(match violation.code() {
        "email_taken" => Translation::new("Diese E-Mail-Adresse ist schon registriert")
            .with_suggestion("Melden Sie sich an"),
        "handle_taken" => Translation::new("Dieser Name ist in diesem Bereich schon vergeben"),
        "handle_too_short" => Translation::new("Ein Name hat mindestens zwei Buchstaben"),
        "no_workspace" => Translation::new("Diesen Bereich gibt es nicht"),
        _ => return None,
    })
}
