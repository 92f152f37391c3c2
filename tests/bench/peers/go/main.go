// One row of a table as JSON: what a user of net/http and pgx would write.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const lookUp = "select aid, bid, abalance, filler from pgbench_accounts where aid = $1"

type account struct {
	Aid      int32  `json:"aid"`
	Bid      int32  `json:"bid"`
	Abalance int32  `json:"abalance"`
	Filler   string `json:"filler"`
}

func main() {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	config.MaxConns = 16 // the best of 4, 8, 16 and 32, with GOMAXPROCS 1 or 2 (its default)
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}

	http.HandleFunc("GET /accounts/{aid}", func(w http.ResponseWriter, r *http.Request) {
		aid, err := strconv.ParseInt(r.PathValue("aid"), 10, 32)
		if err != nil {
			http.Error(w, "aid is no number", http.StatusBadRequest)
			return
		}
		var a account
		err = pool.QueryRow(r.Context(), lookUp, int32(aid)).Scan(&a.Aid, &a.Bid, &a.Abalance, &a.Filler)
		if errors.Is(err, pgx.ErrNoRows) {
			http.NotFound(w, r)
			return
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		body, err := json.Marshal(a)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(body)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
