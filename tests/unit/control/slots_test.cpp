#include "control/slots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terrapin::control {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(InstanceTypes, WithoutATableEveryTypeIsTheWholeMachine) {
  const Slots slots{{8, 2}, {}};
  const auto slot = slots.of("ml.anything.xlarge");
  ASSERT_TRUE(slot);
  EXPECT_EQ(slot->cores, 8);
  EXPECT_EQ(slot->gpus, 2);
}

TEST(InstanceTypes, ATableNamesAllThatThereAre) {
  Slots slots{{8, 2}, {}};
  ASSERT_TRUE(add_slot("ml.c5.xlarge=4", slots));
  ASSERT_TRUE(add_slot("ml.p3.2xlarge=8,1", slots));
  EXPECT_EQ(slots.of("ml.c5.xlarge")->cores, 4);
  EXPECT_EQ(slots.of("ml.c5.xlarge")->gpus, 0);
  EXPECT_EQ(slots.of("ml.p3.2xlarge")->gpus, 1);
  const auto missing = slots.of("ml.m5.large");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message,
              AllOf(HasSubstr("'ml.m5.large'"), HasSubstr("ml.c5.xlarge, ml.p3.2xlarge")));
}

TEST(InstanceTypes, SeveralOfATypeAreSoManySlots) {
  Slots slots{{8, 2}, {}};
  ASSERT_TRUE(add_slot("ml.p3.8xlarge=6,4", slots));
  const auto three = slots.of("ml.p3.8xlarge", 3);
  ASSERT_TRUE(three);
  EXPECT_EQ(three->cores, 18);  // more than this machine has: whoever lends places says so
  EXPECT_EQ(three->gpus, 12);
  EXPECT_EQ(slots.of("ml.p3.8xlarge", 1)->cores, 6);
  EXPECT_FALSE(slots.of("ml.m5.large", 2));
}

TEST(InstanceTypes, SeveralWithoutATableShareTheMachine) {
  const Slots slots{{8, 2}, {}};
  EXPECT_EQ(slots.of("ml.anything", 2)->cores, 8);
  EXPECT_EQ(slots.of("ml.anything", 2)->gpus, 2);
  // Each needs a core, and a GPU where the type has any.
  EXPECT_EQ(slots.of("ml.anything", 9)->cores, 9);
  EXPECT_EQ(slots.of("ml.anything", 9)->gpus, 9);
  EXPECT_EQ((Slots{{8, 0}, {}}.of("ml.anything", 9)->gpus), 0);
}

TEST(InstanceTypes, WhatIsNoSlotIsNamed) {
  for (const char* text : {"", "ml.c5", "=4", "ml.c5=", "ml.c5=0", "ml.c5=4,", "ml.c5=4,-1", "ml.c5=4 ",
                           "ml.c5=4,1,1", "ml.c5=99999999999"}) {
    Slots slots;
    const Status status = add_slot(text, slots);
    ASSERT_FALSE(status) << text;
    EXPECT_THAT(status.error().message, HasSubstr(std::string("'") + text + "'"));
    EXPECT_TRUE(slots.by_type.empty());
  }
  Slots slots;
  ASSERT_TRUE(add_slot("a=1", slots));
  EXPECT_FALSE(add_slot("a=2", slots));
}

}  // namespace
}  // namespace terrapin::control
