"""DeleteEndpoint: requests in flight are answered, processes end, nothing is left."""

import threading

from botocore.exceptions import ClientError

from support.endpoint_case import EndpointCase, photo


class DeleteEndpoint(EndpointCase):
    def test_it_drains_and_is_gone(self):
        name = self.make_endpoint(self.variant(self.make_model(), count=2))
        jobs = set(self.instances())
        self.assertGreaterEqual(len(jobs), 2)
        started, outcome = threading.Event(), []

        def ask():
            body = photo(1600, 1200)
            started.set()
            try:
                outcome.append(len(self.invoke(name, body)["Body"].read()) > 0)
            except ClientError as problem:
                outcome.append("not found" in str(problem))  # it came after the deletion

        thread = threading.Thread(target=ask)
        thread.start()
        started.wait()
        self.sagemaker.delete_endpoint(EndpointName=name)
        thread.join()
        self.assertEqual(outcome, [True])
        self.sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 240})
        missing = f"Could not find endpoint \"{self.arn('endpoint/' + name)}\"."
        with self.invalid(missing):
            self.sagemaker.describe_endpoint(EndpointName=name)
        with self.invalid(missing):
            self.sagemaker.delete_endpoint(EndpointName=name)
        self.assertFalse(jobs & set(self.instances()))
        self.assertFalse([job for job in jobs if (self.server.data_dir / "endpoints" / job).exists()])

    def test_while_it_is_created(self):
        name = self.create_endpoint(self.make_config(self.variant(self.make_model())))
        self.delete_endpoint(name)
