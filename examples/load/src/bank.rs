//! The service, as its clients see it.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Failure;

/// What is in the books.
pub(crate) use bank_service::repositories::Books;

/// The service.
#[derive(Clone, Debug)]
pub(crate) struct Bank {
    client: Client,
    url: String,
}

/// A transfer, and so its key.
#[derive(Clone, Debug)]
pub(crate) struct Transfer {
    pub(crate) key: Uuid,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) cents: i64,
}

/// What the service said to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// `None` if the connection failed first.
    pub(crate) status: Option<StatusCode>,
    /// The code of the problem, if it is one.
    pub(crate) code: Option<String>,
}

impl Answer {
    pub(crate) fn is(&self, status: StatusCode) -> bool {
        self.status == Some(status)
    }

    /// Whether it says for certain what has become of the request.
    pub(crate) fn is_certain(&self) -> bool {
        self.status.is_some_and(|status| !status.is_server_error())
    }

    /// `201`, `422 insufficient_funds`, `no answer`.
    pub(crate) fn label(&self) -> String {
        match (self.status, &self.code) {
            (None, _) => "no answer".to_owned(),
            (Some(status), None) => status.as_u16().to_string(),
            (Some(status), Some(code)) => format!("{} {code}", status.as_u16()),
        }
    }
}

impl Bank {
    pub(crate) fn new(url: &str) -> Result<Self, Failure> {
        let client = Client::builder().timeout(Duration::from_secs(30)).build()?;
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { client, url })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// What was said, and the JSON of it. Whatever goes wrong on the way is no answer.
    async fn ask(request: RequestBuilder) -> (Answer, Value) {
        let none = Answer {
            status: None,
            code: None,
        };
        let Ok(response) = request.send().await else {
            return (none, Value::Null);
        };
        let status = response.status();
        let Ok(body) = response.bytes().await else {
            return (none, Value::Null);
        };
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let code = body.get("code").and_then(Value::as_str).map(str::to_owned);
        let status = Some(status);
        (Answer { status, code }, body)
    }

    /// What cannot be gone on without, asked for again while the service has trouble.
    async fn must(&self, method: Method, path: &str, body: &Value) -> Result<Value, Failure> {
        let mut said = String::new();
        for _ in 0..20 {
            let mut request = self.request(method.clone(), path);
            if !body.is_null() {
                request = request.json(body);
            }
            let (answer, body) = Self::ask(request).await;
            if answer.status.is_some_and(|status| status.is_success()) {
                return Ok(body);
            }
            said = answer.label();
            if answer.is_certain() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Err(format!("{method} {path} at {}: {said}", self.url).into())
    }

    /// What all accounts and transfers add up to.
    pub(crate) async fn books(&self) -> Result<Books, Failure> {
        let books = self.must(Method::GET, "/audit", &Value::Null).await?;
        Ok(serde_json::from_value(books)?)
    }

    /// A new customer's account.
    pub(crate) async fn open_account(&self) -> Result<i64, Failure> {
        let body = sign_up(&format!("c{}", Uuid::new_v4().simple()));
        let new = self.must(Method::POST, "/users", &body).await?;
        number(&new["account"], "id")
    }

    /// What is in an account.
    pub(crate) async fn balance(&self, id: i64) -> Result<i64, Failure> {
        let path = format!("/accounts/{id}");
        let account = self.must(Method::GET, &path, &Value::Null).await?;
        number(&account, "cents")
    }

    /// Signs up under a name that may be taken.
    pub(crate) async fn sign_up(&self, handle: &str) -> Answer {
        let request = self.request(Method::POST, "/users").json(&sign_up(handle));
        Self::ask(request).await.0
    }

    /// Sends a transfer, once.
    pub(crate) async fn transfer(&self, wanted: &Transfer, unsorted: bool) -> Answer {
        let order = if unsorted { "?order=unsorted" } else { "" };
        let body = json!({ "from": wanted.from, "to": wanted.to, "cents": wanted.cents });
        let request = self
            .request(Method::POST, &format!("/transfers{order}"))
            .header("Idempotency-Key", wanted.key.to_string())
            .json(&body);
        Self::ask(request).await.0
    }

    /// Whether a transfer is stored now.
    pub(crate) async fn is_stored(&self, key: Uuid) -> Result<bool, Failure> {
        let path = format!("/transfers/{key}");
        for _ in 0..20 {
            let (answer, _) = Self::ask(self.request(Method::GET, &path)).await;
            if answer.is_certain() {
                return Ok(answer.is(StatusCode::OK));
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Err(format!("GET {path}: no answer").into())
    }

    /// A page of a statement.
    pub(crate) async fn statement(&self, id: i64) -> Answer {
        let path = format!("/accounts/{id}/statement?limit=20");
        Self::ask(self.request(Method::GET, &path)).await.0
    }

    /// Asks for trouble.
    pub(crate) async fn make(&self, what: &str, ms: u64) -> Answer {
        let path = format!("/trouble/{what}?ms={ms}");
        Self::ask(self.request(Method::POST, &path)).await.0
    }

    /// The service's metrics, for whoever has a token.
    pub(crate) async fn metrics(&self, token: &str) -> (Answer, Value) {
        let path = "/ops/admin/database/metrics";
        Self::ask(self.request(Method::GET, path).bearer_auth(token)).await
    }
}

fn sign_up(handle: &str) -> Value {
    json!({ "handle": handle, "email": format!("{handle}@example.com"), "age": 40 })
}

fn number(of: &Value, name: &str) -> Result<i64, Failure> {
    let number = of.get(name).and_then(Value::as_i64);
    number.ok_or_else(|| format!("the service's answer has no number {name:?}").into())
}
