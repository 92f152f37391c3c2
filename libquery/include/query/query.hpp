#pragma once

/// libquery: pooled execution of SQL over libpq, and results turned into JSON.
#include <query/buffer.hpp>
#include <query/connection.hpp>
#include <query/deadline.hpp>
#include <query/error.hpp>
#include <query/json.hpp>
#include <query/options.hpp>
#include <query/params.hpp>
#include <query/pipeline.hpp>
#include <query/pool.hpp>
#include <query/result.hpp>
#include <query/rows.hpp>
#include <query/statement.hpp>
#include <query/version.hpp>
