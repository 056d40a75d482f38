#include "proxy/authority.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "base/files.h"
#include "unit/base/temporary_folder.h"
#include "unit/proxy/certificates.h"

namespace terrapin::proxy {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;
using testing::read_certificate;
using testing::read_key;
using testing::verify_server;
using testing::X509Ptr;

const AuthorityOptions kOptions{"Test authority", "amazonaws.com"};

class AuthorityTest : public ::testing::Test {
 protected:
  std::time_t now(std::chrono::hours later = {}) const {
    return static_cast<std::time_t>(to_microseconds(clock_.now() + later) / 1'000'000);
  }
  int verify(const Authority& authority, const std::string& pem, const std::string& host,
             std::chrono::hours later = {}) const {
    const X509Ptr own = read_certificate(authority.certificate_pem()), leaf = read_certificate(pem);
    return verify_server(own.get(), leaf.get(), host, now(later));
  }
  ManualClock clock_{*parse_iso_text("2026-11-21T12:00:00")};
};

TEST_F(AuthorityTest, ClientsTakeItsLeavesForTheirHostAlone) {
  const auto authority = Authority::make(kOptions, clock_);
  ASSERT_TRUE(authority) << authority.error().message;
  const std::string longest = std::string(63, 'b') + ".s3.dualstack.ap-northeast-1.amazonaws.com";
  for (const std::string& host :
       {std::string("s3.amazonaws.com"), std::string("a.b.s3.amazonaws.com"), longest}) {
    const auto leaf = (*authority)->issue(host);
    ASSERT_TRUE(leaf) << leaf.error().message;
    EXPECT_EQ(verify(**authority, leaf->certificate, host), X509_V_OK) << host;
    EXPECT_EQ(verify(**authority, leaf->certificate, "sts.amazonaws.com"), X509_V_ERR_HOSTNAME_MISMATCH);
    EXPECT_EQ(verify(**authority, leaf->certificate, "x." + host), X509_V_ERR_HOSTNAME_MISMATCH);
    EXPECT_EQ(verify(**authority, leaf->certificate, host, kLeafLifetime - std::chrono::hours(1)), X509_V_OK);
    EXPECT_EQ(verify(**authority, leaf->certificate, host, kLeafLifetime + std::chrono::hours(1)),
              X509_V_ERR_CERT_HAS_EXPIRED);
    const auto certificate = read_certificate(leaf->certificate);
    EXPECT_EQ(X509_check_private_key(certificate.get(), read_key(leaf->key).get()), 1);
  }
  const auto another = Authority::make(kOptions, clock_);
  const auto leaf = (*another)->issue("s3.amazonaws.com");
  EXPECT_NE(verify(**authority, leaf->certificate, "s3.amazonaws.com"), X509_V_OK);
}

TEST_F(AuthorityTest, TwoLeavesOfAHostDiffer) {
  const auto authority = Authority::make(kOptions, clock_);
  const auto one = (*authority)->issue("s3.amazonaws.com"), other = (*authority)->issue("s3.amazonaws.com");
  const auto first = read_certificate(one->certificate), second = read_certificate(other->certificate);
  EXPECT_NE(ASN1_INTEGER_cmp(X509_get0_serialNumber(first.get()), X509_get0_serialNumber(second.get())), 0);
}

TEST_F(AuthorityTest, NamesOutsideItsDomainAreRefused) {
  const auto authority = Authority::make(kOptions, clock_);
  for (const char* host :
       {"", "evil.org", "amazonaws.com.evil.org", "xamazonaws.com", ".amazonaws.com", "*.amazonaws.com",
        "S3.amazonaws.com", "a.amazonaws.com,IP:1.2.3.4", "a.amazonaws.com\nDNS:evil.org", "a..amazonaws.com",
        "-a.amazonaws.com", "a_b.amazonaws.com", "s3.amazonaws.com.", "1.2.3.4", "localhost"}) {
    const auto leaf = (*authority)->issue(host);
    ASSERT_FALSE(leaf) << host;
    EXPECT_EQ(leaf.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(leaf.error().message.find(host), std::string::npos);
  }
}

// Whoever has the key and no scruples.
X509Ptr forge(const std::string& authority_pem, const std::string& authority_text, const std::string& names) {
  const auto issuer = read_certificate(authority_pem);
  const auto key = read_key(authority_text);
  X509Ptr leaf(X509_new(), &X509_free);
  X509_set_version(leaf.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(leaf.get()), 7);
  X509_set1_notBefore(leaf.get(), X509_get0_notBefore(issuer.get()));
  X509_set1_notAfter(leaf.get(), X509_get0_notAfter(issuer.get()));
  X509_set_pubkey(leaf.get(), key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(leaf.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("forged"), -1, -1, 0);
  X509_set_issuer_name(leaf.get(), X509_get_subject_name(issuer.get()));
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer.get(), leaf.get(), nullptr, nullptr, 0);
  for (const auto& [kind, value] :
       std::vector<std::pair<int, std::string>>{{NID_basic_constraints, "critical,CA:FALSE"},
                                                {NID_subject_key_identifier, "hash"},
                                                {NID_authority_key_identifier, "keyid:always"},
                                                {NID_subject_alt_name, names}}) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    X509_add_ext(leaf.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(leaf.get(), key.get(), EVP_sha256());
  return leaf;
}

TEST_F(AuthorityTest, EvenItsOwnKeyVouchesForNoOtherDomain) {
  const TemporaryFolder folder;
  const auto authority = Authority::open(folder.path(), kOptions, clock_);
  ASSERT_TRUE(authority) << authority.error().message;
  const std::string text = *read_text_file(folder.path() / "authority.pem");
  const auto own = read_certificate((*authority)->certificate_pem());
  const auto verdict = [&](const std::string& names, const std::string& host) {
    const auto leaf = forge((*authority)->certificate_pem(), text, names);
    return verify_server(own.get(), leaf.get(), host, now());
  };
  EXPECT_EQ(verdict("DNS:s3.amazonaws.com", "s3.amazonaws.com"), X509_V_OK);  // the forger's tools are right
  EXPECT_EQ(verdict("DNS:evil.org", "evil.org"), X509_V_ERR_PERMITTED_VIOLATION);
  EXPECT_EQ(verdict("DNS:s3.amazonaws.com,DNS:evil.org", "evil.org"), X509_V_ERR_PERMITTED_VIOLATION);
  EXPECT_EQ(verdict("DNS:amazonaws.com.evil.org", "amazonaws.com.evil.org"), X509_V_ERR_PERMITTED_VIOLATION);
  EXPECT_EQ(verdict("IP:127.0.0.1", "127.0.0.1"), X509_V_ERR_EXCLUDED_VIOLATION);
  EXPECT_EQ(verdict("IP:::1", "::1"), X509_V_ERR_EXCLUDED_VIOLATION);
}

TEST_F(AuthorityTest, IsKeptForItsOwnerAlone) {
  const TemporaryFolder folder;
  const fs::path place = folder.path() / "authority";
  const auto made = Authority::open(place, kOptions, clock_);
  ASSERT_TRUE(made) << made.error().message;
  struct stat info {};
  ASSERT_EQ(::stat((place / "authority.pem").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  ASSERT_EQ(::stat(place.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700U);
  const auto again = Authority::open(place, kOptions, clock_);
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->certificate_pem(), (*made)->certificate_pem());
  const auto leaf = (*again)->issue("s3.amazonaws.com");
  EXPECT_EQ(verify(**made, leaf->certificate, "s3.amazonaws.com"), X509_V_OK);

  ::chmod((place / "authority.pem").c_str(), 0640);
  const auto open_to_others = Authority::open(place, kOptions, clock_);
  ASSERT_FALSE(open_to_others);
  EXPECT_EQ(open_to_others.error().code, ErrorCode::kDenied);
}

TEST_F(AuthorityTest, IsMadeAnewBeforeItsTimeIsOver) {
  const TemporaryFolder folder;
  const std::string first = (*Authority::open(folder.path(), kOptions, clock_))->certificate_pem();
  clock_.advance(std::chrono::hours(24 * 365 * 9));
  EXPECT_EQ((*Authority::open(folder.path(), kOptions, clock_))->certificate_pem(), first);
  clock_.advance(std::chrono::hours(24 * 350));
  const std::string second = (*Authority::open(folder.path(), kOptions, clock_))->certificate_pem();
  EXPECT_NE(second, first);
  EXPECT_EQ((*Authority::open(folder.path(), kOptions, clock_))->certificate_pem(), second);
}

TEST_F(AuthorityTest, AFileOfAnotherKindIsNamed) {
  const std::string certificate = (*Authority::make(kOptions, clock_))->certificate_pem();
  const TemporaryFolder one, other;
  (void)Authority::open(other.path(), kOptions, clock_);
  std::string mixed = *read_text_file(other.path() / "authority.pem");
  mixed = mixed.substr(0, mixed.find("-----BEGIN CERTIFICATE")) + certificate;
  for (const std::string& text : {std::string("nonsense"), certificate, mixed}) {
    const fs::path file = one.path() / "authority.pem";
    ASSERT_TRUE(write_file_atomically(file, text));
    ::chmod(file.c_str(), 0600);
    const auto opened = Authority::open(one.path(), kOptions, clock_);
    ASSERT_FALSE(opened) << text;
    EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
    EXPECT_NE(opened.error().message.find(file.string()), std::string::npos);
    EXPECT_EQ(*read_text_file(file), text);
  }
}

TEST_F(AuthorityTest, OfManyThatStartAtOnceAllHaveTheSame) {
  const TemporaryFolder folder;
  std::array<std::string, 8> seen;
  std::vector<std::thread> threads;
  for (std::string& each : seen)
    threads.emplace_back(
        [&] { each = (*Authority::open(folder.path(), kOptions, clock_))->certificate_pem(); });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& each : seen) EXPECT_EQ(each, seen[0]);
}

}  // namespace
}  // namespace terrapin::proxy
