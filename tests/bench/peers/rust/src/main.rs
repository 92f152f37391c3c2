//! One row of a table as JSON: what a user of axum and tokio-postgres would write.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use deadpool_postgres::{Manager, Pool};
use serde::Serialize;
use std::error::Error;
use tokio::net::TcpListener;
use tokio_postgres::NoTls;

/// The best of 4, 8, 16 and 32, with 1 worker thread or 2 (tokio's default).
const CONNECTIONS: usize = 16;
const SQL: &str = "select aid, bid, abalance, filler from pgbench_accounts where aid = $1";

#[derive(Serialize)]
struct Account<'a> {
    aid: i32,
    bid: i32,
    abalance: i32,
    filler: &'a str,
}

async fn look_up(pool: &Pool, aid: i32) -> Result<Response, Box<dyn Error + Send + Sync>> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(SQL).await?;
    let row = client.query_opt(&statement, &[&aid]).await?;
    drop(client); // the next request need not wait for the answer's making
    let Some(row) = row else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    Ok(Json(Account {
        aid: row.try_get(0)?,
        bid: row.try_get(1)?,
        abalance: row.try_get(2)?,
        filler: row.try_get(3)?,
    })
    .into_response())
}

async fn account(State(pool): State<Pool>, Path(aid): Path<i32>) -> Response {
    look_up(&pool, aid).await.unwrap_or_else(|error| {
        (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = std::env::var("DATABASE_URL")?.parse()?;
    let pool = Pool::builder(Manager::new(config, NoTls))
        .max_size(CONNECTIONS)
        .build()?;
    let router = Router::new()
        .route("/accounts/{aid}", get(account))
        .with_state(pool);
    let port = std::env::var("PORT")?.parse()?;
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await?
        .tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
    Ok(axum::serve(listener, router).await?)
}
