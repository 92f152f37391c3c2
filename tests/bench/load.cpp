// An HTTP load generator that checks every answer: one thread, one epoll, keep-alive connections
// that each send their next request when the last is answered (a closed loop, as wrk's). A request
// asks for a random key; its answer must be, byte for byte, the one that this key has.
//
// Prints one JSON object. In templates, @aid@ is the key and @bid@ its branch.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;

struct Options {
  std::uint16_t port = 0;
  std::size_t connections = 64;
  std::size_t idle = 0;
  double seconds = 5;
  std::uint32_t keys = 1'000'000;
  std::string method = "POST";
  std::string path = "/query";
  std::string body;
  std::string expect;
};

/// A text with holes for a key and its branch, cut once.
class Template {
 public:
  explicit Template(std::string_view text) {
    while (true) {
      const std::size_t hole = std::min(text.find("@aid@"), text.find("@bid@"));
      parts_.emplace_back(text.substr(0, hole),
                          hole == std::string_view::npos ? '\0' : text[hole + 1]);
      if (hole == std::string_view::npos) {
        return;
      }
      text.remove_prefix(hole + 5);
    }
  }

  void fill(std::string& out, std::uint32_t key) const {
    for (const auto& [text, hole] : parts_) {
      out += text;
      if (hole != '\0') {
        std::array<char, 12> digits{};
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(),
                                       hole == 'a' ? key : (key - 1) / 100'000 + 1);
        out.append(digits.data(), static_cast<std::size_t>(end.ptr - digits.data()));
      }
    }
  }

 private:
  std::vector<std::pair<std::string, char>> parts_;
};

struct Counts {
  std::vector<std::uint32_t> answered;  // microseconds
  std::vector<std::uint32_t> refused;   // the same, of 503
  std::uint64_t wrong = 0;
  std::uint64_t reconnects = 0;
  std::string first_wrong;
};

auto connect_to(std::uint16_t port) -> int {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::system_error(errno, std::generic_category(), "connect");
  }
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

/// One whole answer at the start of the input; `size` is 0 while some of it is missing.
struct Answer {
  int status = 0;
  std::string_view body;
  bool close = false;
  std::size_t size = 0;
};

auto parse_answer(std::string_view input) -> Answer {
  Answer answer;
  const std::size_t end = input.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    return answer;
  }
  std::string head(input.substr(0, end));
  std::transform(head.begin(), head.end(), head.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  std::from_chars(head.data() + 9, head.data() + 12, answer.status);
  const std::size_t length_at = head.find("\r\ncontent-length: ");
  if (length_at == std::string::npos) {
    throw std::runtime_error("an answer without Content-Length: " + head);
  }
  std::size_t length = 0;
  std::from_chars(head.data() + length_at + 18, head.data() + head.size(), length);
  answer.close = head.find("\r\nconnection: close") != std::string::npos;
  if (input.size() >= end + 4 + length) {
    answer.body = input.substr(end + 4, length);
    answer.size = end + 4 + length;
  }
  return answer;
}

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options),
        path_(options.path),
        body_(options.body),
        expect_(options.expect),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    counts_.answered.reserve(std::size_t{1} << 22U);
  }

  /// Opens connections, each with one answered request behind it.
  void open_idle() {
    static constexpr std::string_view kProbe = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    std::array<char, 4096> answer{};
    for (std::size_t i = 0; i < options_.idle; ++i) {
      const int fd = connect_to(options_.port);
      idle_.push_back(fd);
      if (::write(fd, kProbe.data(), kProbe.size()) < 0 ||
          ::read(fd, answer.data(), answer.size()) <= 0 ||
          std::string_view(answer.data()).find(" 200 ") == std::string_view::npos) {
        throw std::runtime_error("connection " + std::to_string(i + 1) + " was not answered");
      }
    }
  }

  [[nodiscard]] auto idle_still_open() const -> std::size_t {
    std::size_t open = 0;
    for (const int fd : idle_) {
      char byte = 0;
      open += ::recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN ? 1 : 0;
    }
    return open;
  }

  /// Keeps all connections busy for so long; what is under way at the end is not counted.
  void run(double seconds) {
    counts_ = {};
    const auto end =
        Clock::now() + duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    while (clients_.size() < options_.connections) {
      clients_.push_back(std::make_unique<Client>());
      start(*clients_.back());
    }
    std::array<epoll_event, 256> events{};
    while (Clock::now() < end) {
      const int count = ::epoll_wait(epoll_, events.data(), events.size(), 10);
      for (int i = 0; i < count; ++i) {
        take(*static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr));
      }
      if (!resting_.empty()) {
        wake_rested();
      }
    }
  }

  [[nodiscard]] auto counts() -> Counts& { return counts_; }

 private:
  struct Client {
    int fd = -1;
    std::string input;
    std::string expected;
    Clock::time_point sent;
    Clock::time_point rest_until;
  };

  void start(Client& client) {
    client.fd = connect_to(options_.port);
    ::fcntl(client.fd, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &client;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, client.fd, &event);
    ask(client);
  }

  void ask(Client& client) {
    const auto key = static_cast<std::uint32_t>(random_() % options_.keys + 1);
    content_.clear();
    body_.fill(content_, key);
    request_.assign(options_.method).append(" ");
    path_.fill(request_, key);
    request_ += " HTTP/1.1\r\nHost: localhost\r\n";
    if (!content_.empty()) {
      request_.append("Content-Type: application/json\r\nContent-Length: ")
          .append(std::to_string(content_.size()))
          .append("\r\n");
    }
    request_.append("\r\n").append(content_);
    client.expected.clear();
    expect_.fill(client.expected, key);
    client.sent = Clock::now();
    // A request is small: the socket always has room for it. A lost connection shows when reading.
    (void)!::send(client.fd, request_.data(), request_.size(), MSG_NOSIGNAL);
  }

  void take(Client& client) {
    std::array<char, 65536> bytes;
    const ssize_t size = ::recv(client.fd, bytes.data(), bytes.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
      return;
    }
    if (size <= 0) {
      return restart(client);
    }
    client.input.append(bytes.data(), static_cast<std::size_t>(size));
    const Answer answer = parse_answer(client.input);
    if (answer.size == 0) {
      return;
    }
    const auto now = Clock::now();
    const auto time =
        static_cast<std::uint32_t>(duration_cast<microseconds>(now - client.sent).count());
    if (answer.status == 200 && answer.body == client.expected) {
      counts_.answered.push_back(time);
    } else if (answer.status == 503) {
      counts_.refused.push_back(time);
    } else {
      ++counts_.wrong;
      if (counts_.first_wrong.empty()) {
        counts_.first_wrong = client.input.substr(0, 600);
      }
    }
    const bool refused = answer.status == 503;
    const bool close = answer.close;
    client.input.erase(0, answer.size);
    if (refused) {  // a client that hammers on would measure itself
      client.rest_until = now + milliseconds(100);
      resting_.push_back(&client);
      if (close) {
        hang_up(client);
      }
    } else if (close) {
      restart(client);
    } else {
      ask(client);
    }
  }

  void hang_up(Client& client) {
    ::close(client.fd);
    client.fd = -1;
    client.input.clear();
  }

  void restart(Client& client) {
    ++counts_.reconnects;
    hang_up(client);
    start(client);
  }

  void wake_rested() {
    const auto now = Clock::now();
    std::erase_if(resting_, [&](Client* client) {
      if (client->rest_until > now) {
        return false;
      }
      client->fd < 0 ? start(*client) : ask(*client);
      return true;
    });
  }

  const Options& options_;
  const Template path_;
  const Template body_;
  const Template expect_;
  int epoll_;
  std::mt19937 random_{20260101};
  std::vector<int> idle_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<Client*> resting_;
  Counts counts_;
  std::string request_;
  std::string content_;
};

auto percentiles(std::vector<std::uint32_t>& times) -> nlohmann::json {
  std::sort(times.begin(), times.end());
  const auto at = [&](double part) {
    return times.empty()
               ? 0
               : times[static_cast<std::size_t>(part * static_cast<double>(times.size() - 1))];
  };
  return {{"p50_us", at(0.5)}, {"p99_us", at(0.99)}, {"max_us", at(1)}};
}

auto run(const Options& options) -> int {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);

  Load load(options);
  if (options.idle > 0) {  // the caller looks at the server's memory meanwhile
    load.open_idle();
    std::puts("idle");
    std::fflush(stdout);
    std::string line;
    std::getline(std::cin, line);
  }
  load.run(std::min(1.0, options.seconds / 4));  // statements get prepared, caches filled
  load.run(options.seconds);
  Counts& counts = load.counts();
  nlohmann::json report = percentiles(counts.answered);
  report["rps"] = static_cast<double>(counts.answered.size()) / options.seconds;
  report["refused"] = counts.refused.size();
  report["refused_us"] = percentiles(counts.refused);
  report["wrong"] = counts.wrong;
  report["first_wrong"] = counts.first_wrong;
  report["reconnects"] = counts.reconnects;
  report["idle_open"] = load.idle_still_open();
  std::puts(report.dump().c_str());
  return counts.wrong == 0 ? 0 : 1;
}

}  // namespace

auto main(int argc, char** argv) -> int {
  Options options;
  CLI::App app{"HTTP load with every answer checked"};
  app.add_option("--port", options.port)->required();
  app.add_option("--connections", options.connections);
  app.add_option("--idle", options.idle, "more connections, which only stay open");
  app.add_option("--seconds", options.seconds);
  app.add_option("--keys", options.keys);
  app.add_option("--method", options.method);
  app.add_option("--path", options.path);
  app.add_option("--body", options.body);
  app.add_option("--expect", options.expect)->required();
  CLI11_PARSE(app, argc, argv);
  try {
    return run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "load: %s\n", error.what());
    return 2;
  }
}
