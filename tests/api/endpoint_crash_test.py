"""kill -9 of model servers and of the service: servers are replaced or taken up, and none is left over."""

import os
import signal

from botocore.exceptions import ClientError

from support.endpoint_case import EndpointCase


class EndpointCrash(EndpointCase):
    own_server = True

    def answers(self, name):
        try:
            return self.invoke(name)["Body"].read()
        except ClientError as problem:
            self.assertEqual(problem.response["Error"]["Code"], "ServiceUnavailable")
            return None

    def renew_clients(self):
        """The service has another port now."""
        cls = type(self)
        cls.s3, cls.sagemaker = self.server.client("s3"), self.server.client("sagemaker")
        cls.runtime = self.server.client("sagemaker-runtime", read_timeout=90)

    def test_a_killed_server_is_replaced(self):
        name = self.make_endpoint(self.variant(self.make_model(), count=2))
        before = self.instances()
        self.assertEqual(len(before), 2)
        os.kill(next(iter(before.values())), signal.SIGKILL)
        for _ in range(20):  # the other one answers all the while
            self.invoke(name)
        self.wait_for(lambda: len(self.instances()) == 2 and set(self.instances()) != set(before), "a new server")
        self.assertEqual(self.status(name), "InService")

    def test_a_server_that_hangs_is_replaced(self):
        name = self.make_endpoint(self.variant(self.make_model()))
        ((job, pid),) = self.instances().items()
        os.kill(pid, signal.SIGSTOP)
        self.wait_for(lambda: set(self.instances()) - {job}, "a new server")
        self.wait_for(lambda: self.answers(name), "an answer of the new server")

    def test_the_service_is_killed(self):
        name = self.make_endpoint(self.variant(self.make_model(), count=2))
        before = self.instances()
        self.server.kill()
        self.assertEqual(self.instances(), before)
        self.server.start()
        self.renew_clients()
        self.invoke(name)  # at once: routes are back with the first look
        self.assertEqual(self.instances(), before)
        self.assertEqual(self.status(name), "InService")

    def test_the_service_is_killed_while_it_creates_and_deletes(self):
        config = self.make_config(self.variant(self.make_model()))
        name = self.create_endpoint(config)
        self.server.kill()
        self.server.start()
        self.renew_clients()
        self.wait_in_service(name)
        self.sagemaker.delete_endpoint(EndpointName=name)
        self.server.kill()
        self.server.start()
        self.renew_clients()
        self.delete_endpoint(name)
        self.assertEqual(self.instances(), {})
