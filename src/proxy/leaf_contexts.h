// TLS as the hosts of an authority. Inside this folder only.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "proxy/authority.h"

namespace terrapin::proxy {

// One thread at a time.
class LeafContexts {
 public:
  LeafContexts(const Authority& authority, const Clock& clock, std::size_t most = 1024)
      : authority_(authority), clock_(clock), most_(most) {}

  // TLS 1.2 and 1.3 as `host`. The same context until half of its leaf's time is over; of more than `most`
  // hosts those that were asked for the longest time ago are forgotten. Errors as Authority::issue.
  Result<std::shared_ptr<boost::asio::ssl::context>> of(const std::string& host);
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::shared_ptr<boost::asio::ssl::context> context;
    Timestamp renewed;
    std::list<std::string>::iterator place;  // in order_
  };
  const Authority& authority_;
  const Clock& clock_;
  const std::size_t most_;
  std::map<std::string, Entry> entries_;
  std::list<std::string> order_;  // the one asked for last in front
};

}  // namespace terrapin::proxy
