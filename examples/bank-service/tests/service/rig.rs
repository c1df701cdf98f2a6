//! A service on a database of the test's own, and its client.

use bank_service::{Service, Settings};
use reqwest::{Client, Method, RequestBuilder, StatusCode, header};
use resilient_sea_orm::config::Environment;
use serde_json::{Value, json};
use support::{Engine, TestDb, TestResult};
use uuid::Uuid;

/// The bank's own account.
pub(crate) const VAULT: i64 = bank_service::repositories::VAULT;
pub(crate) const READ: &str = "a-token-that-only-reads";
pub(crate) const ACT: &str = "another-one-that-acts";

/// What was answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) headers: header::HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) async fn of(request: RequestBuilder) -> TestResult<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let kind = headers.get(header::CONTENT_TYPE);
        let kind = kind
            .map_or("", |kind| kind.to_str().unwrap_or("?"))
            .to_owned();
        let bytes = response.bytes().await?;
        Ok(Self {
            status: status.as_u16(),
            kind,
            headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        })
    }

    /// The code of the problem document that this must be, by RFC 9457.
    pub(crate) fn problem(&self) -> &str {
        assert_eq!(self.kind, "application/problem+json", "{self:?}");
        let body = &self.body;
        assert_eq!(body["type"], "about:blank", "{self:?}");
        assert_eq!(body["status"], self.status, "{self:?}");
        let phrase = match self.status {
            422 => "Unprocessable Content",
            other => StatusCode::from_u16(other)
                .ok()
                .and_then(|status| status.canonical_reason())
                .expect("a status with a name"),
        };
        assert_eq!(body["title"], phrase, "{self:?}");
        assert!(!body["detail"].as_str().expect("detail").is_empty());
        body["code"].as_str().expect("code")
    }
}

/// A service and its client.
pub(crate) struct Bank {
    pub(crate) test: TestDb,
    pub(crate) client: Client,
    pub(crate) url: String,
    service: Service,
}

/// What the environment of a test's service says.
pub(crate) fn variables(database_url: &str) -> Vec<(String, String)> {
    [
        ("DATABASE_URL", database_url),
        ("BIND", "127.0.0.1:0"),
        ("TROUBLE", "on"),
        ("ADMIN_READ_TOKEN", READ),
        ("ADMIN_ACT_TOKEN", ACT),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

impl Bank {
    pub(crate) async fn open(engine: Engine) -> TestResult<Self> {
        let test = TestDb::new(engine).await?;
        let url = test.url().to_owned();
        Self::at(test, &url).await
    }

    /// One that reaches its database at this address.
    pub(crate) async fn at(test: TestDb, database_url: &str) -> TestResult<Self> {
        let settings = Settings::of(&Environment::of(variables(database_url)))?;
        let service = Service::start(&settings).await?;
        Ok(Self {
            test,
            client: Client::new(),
            url: format!("http://{}", service.address()),
            service,
        })
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> TestResult<Reply> {
        Reply::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> TestResult<Reply> {
        Reply::of(self.request(Method::POST, path).json(body)).await
    }

    /// A new customer's account with so many cents.
    pub(crate) async fn account(&self, cents: i64) -> TestResult<i64> {
        let handle = Uuid::new_v4().simple().to_string();
        let body = json!({ "handle": handle, "email": format!("{handle}@example.com"), "age": 30 });
        let new = self.post("/users", &body).await?;
        assert_eq!(new.status, 201, "{new:?}");
        let id = new.body["account"]["id"].as_i64().expect("a number");
        if cents > 0 {
            let given = self.transfer(Uuid::new_v4(), VAULT, id, cents, "").await?;
            assert_eq!(given.status, 201, "{given:?}");
        }
        Ok(id)
    }

    /// Sends a transfer, once; `query` follows the path.
    pub(crate) async fn transfer(
        &self,
        key: Uuid,
        from: i64,
        to: i64,
        cents: i64,
        query: &str,
    ) -> TestResult<Reply> {
        let body = json!({ "from": from, "to": to, "cents": cents });
        let request = self
            .request(Method::POST, &format!("/transfers{query}"))
            .header("Idempotency-Key", key.to_string())
            .json(&body);
        Reply::of(request).await
    }

    pub(crate) async fn cents(&self, account: i64) -> TestResult<i64> {
        let found = self.get(&format!("/accounts/{account}")).await?;
        assert_eq!(found.status, 200, "{found:?}");
        Ok(found.body["cents"].as_i64().expect("a number"))
    }

    /// Ends the service; the books must be right, and nothing be left open.
    pub(crate) async fn close(self) -> TestResult {
        let books = self.get("/audit").await?;
        assert_eq!(books.status, 200, "{books:?}");
        assert_eq!(books.body["wrong_accounts"], json!([]), "{books:?}");
        assert_eq!(books.body["total_cents"], books.body["expected_cents"]);
        let drained = self.service.stop().await?;
        assert_eq!(drained.cut, 0);
        assert_eq!(self.test.open_transactions().await?, 0);
        Ok(())
    }
}
