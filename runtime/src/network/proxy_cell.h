// What stands behind the Ref of a grain or of an actor on another node: it gives each message its
// wire form and its sender's stamp, and hands it to the router. A grain that was reached in this
// process before needs none of that (grain/shortcut.h).

#ifndef QUERN_RUNTIME_SRC_NETWORK_PROXY_CELL_H_
#define QUERN_RUNTIME_SRC_NETWORK_PROXY_CELL_H_

#include <string>
#include <string_view>

#include "actor/made_once.h"
#include "grain/shortcut.h"
#include "quern/runtime/grain_id.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/wire_table.h"
#include "quern/runtime/network_port.h"
#include "quern/runtime/status.h"

namespace quern::internal {

class SystemCore;

class ProxyCell : public Cell {
 public:
  Delivery Post(Envelope* envelope) override;
  SystemCore* system_core() const final { return core_; }

 protected:
  ProxyCell(SystemCore* core, const WireTable* wire);
  ~ProxyCell() override;

  // Takes the message.
  virtual Delivery Route(Message message) = 0;

 private:
  SystemCore* const core_;
  const WireTable* const wire_;
};

class GrainProxyCell final : public ProxyCell {
 public:
  GrainProxyCell(SystemCore* core, const WireTable* wire, GrainId id);
  Delivery Post(Envelope* envelope) override;
  bool TakesChains() const override { return shortcut_.open(); }
  void PostChain(MailboxNode* first, MailboxNode* last) override;
  std::string Path() const override { return id_.ToString(); }
  std::string_view PathView() override {
    return path_.Get([this] { return Path(); });
  }
  const GrainId& grain_id() const { return id_; }

 private:
  Delivery Route(Message message) override;

  const GrainId id_;
  const Status valid_;
  Shortcut shortcut_;
  MadeOnce<const std::string> path_;
};

class RemoteActorCell final : public ProxyCell {
 public:
  RemoteActorCell(SystemCore* core, const WireTable* wire, std::string address)
      : ProxyCell(core, wire), address_(std::move(address)) {}
  std::string Path() const override { return address_; }
  std::string_view PathView() override { return address_; }

 private:
  Delivery Route(Message message) override;

  const std::string address_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_NETWORK_PROXY_CELL_H_
