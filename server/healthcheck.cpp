#include "healthcheck.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

#include "http_socket.hpp"

namespace query::server {
namespace {

constexpr timeval kPatience{2, 0};

auto connect_to(const addrinfo& address) -> Descriptor {
  Descriptor socket(::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC, 0));
  // The send timeout is the connect timeout too.
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0) {
    socket.reset();
  }
  return socket;
}

}  // namespace

auto healthcheck(const Address& address) -> std::optional<std::string> {
  // "Every address" is no address to connect to.
  const bool any = address.host.empty() || address.host == "0.0.0.0" || address.host == "::";
  const std::string host = !any ? address.host : address.host == "::" ? "::1" : "127.0.0.1";
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(address.port).c_str(), &hints, &found) != 0) {
    return "no such address: " + address.text();
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  Descriptor socket;
  for (const addrinfo* one = addresses.get(); one != nullptr && socket.get() < 0;
       one = one->ai_next) {
    socket = connect_to(*one);
  }
  if (socket.get() < 0) {
    return "no connection to " + address.text() + ": " + std::generic_category().message(errno);
  }
  const std::string request = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) {
    return "the request could not be sent: " + std::generic_category().message(errno);
  }
  std::string response;
  std::array<char, 512> bytes{};
  while (response.size() < 32) {
    const ssize_t count = ::recv(socket.get(), bytes.data(), bytes.size(), 0);
    if (count <= 0) {
      break;
    }
    response.append(bytes.data(), static_cast<std::size_t>(count));
  }
  if (!response.starts_with("HTTP/1.1 200 ")) {
    return "/livez did not answer 200: " + response.substr(0, response.find('\r'));
  }
  return std::nullopt;
}

}  // namespace query::server
