"""UpdateEndpoint: other servers take over without a request being dropped, or the old ones stay."""

import re
import threading

from support.endpoint_case import EndpointCase, local_mask, mask_of, package, photo


class UpdateEndpoint(EndpointCase):
    def test_under_load(self):
        name = self.make_endpoint(self.variant(self.make_model()))
        other = package(seed=6)
        config = self.make_config(self.variant(self.make_model(other), "next"))
        stop, failures, answers = threading.Event(), [], []

        def ask():
            runtime = self.server.client("sagemaker-runtime", read_timeout=90)
            while not stop.is_set():
                try:
                    answers.append(self.invoke(name, runtime=runtime)["InvokedProductionVariant"])
                except Exception as problem:  # whatever it is, it is a failed request
                    failures.append(repr(problem))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        try:
            before = set(self.instances())
            self.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)
            pending = self.sagemaker.describe_endpoint(EndpointName=name)
            if pending["EndpointStatus"] == "Updating":
                self.assertEqual(pending["PendingDeploymentSummary"]["EndpointConfigName"], config)
            self.wait_in_service(name)
            self.wait_for(lambda: "next" in answers[-8:], "answers of the new servers")
            self.wait_for(lambda: not before & set(self.instances()), "the old servers' end")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(set(answers), {"AllTraffic", "next"})
        described = self.sagemaker.describe_endpoint(EndpointName=name)
        self.assertEqual(described["EndpointConfigName"], config)
        self.assertNotIn("PendingDeploymentSummary", described)
        image = photo(seed=9)
        self.assertTrue((mask_of(self.invoke(name, image)["Body"].read()) == local_mask(other, image)).all())

    def test_servers_that_do_not_start_are_rolled_back(self):
        name = self.make_endpoint(self.variant(self.make_model()))
        before = self.sagemaker.describe_endpoint(EndpointName=name)
        broken = self.make_config(self.variant(self.make_model(b"no model"), "broken"))
        self.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=broken)
        self.wait_for(lambda: "FailureReason" in self.sagemaker.describe_endpoint(EndpointName=name), "the failure")
        after = self.wait_status(name, "InService")
        self.assertIn("production variant broken did not pass the ping health check", after["FailureReason"])
        self.assertEqual(after["EndpointConfigName"], before["EndpointConfigName"])
        self.assertEqual(self.invoke(name)["InvokedProductionVariant"], "AllTraffic")
        good = self.make_config(self.variant(self.make_model()))
        self.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=good)
        self.assertNotIn("FailureReason", self.wait_status(name, "InService"))

    def test_what_is_retained(self):
        model = self.make_model()
        name = self.make_endpoint(self.variant(model, "a", 1, 4))
        config = self.make_config(self.variant(model, "a", 2, 1))
        self.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config, RetainAllVariantProperties=True,
                                       ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredWeight"}])
        self.wait_in_service(name)
        (variant,) = self.sagemaker.describe_endpoint(EndpointName=name)["ProductionVariants"]
        self.assertEqual((variant["CurrentInstanceCount"], variant["CurrentWeight"]), (1, 1.0))

    def test_what_cannot_be_updated(self):
        model = self.make_model(b"no model")
        config = self.make_config(self.variant(model))
        with self.invalid(f"Could not find endpoint \"{self.arn('endpoint/nobody')}\"."):
            self.sagemaker.update_endpoint(EndpointName="nobody", EndpointConfigName=config)
        name = self.make_endpoint(self.variant(self.make_model()))
        with self.invalid(f"Could not find endpoint configuration \"{self.arn('endpoint-config/nobody')}\"."):
            self.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName="nobody")
        canary = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "CANARY", "WaitIntervalInSeconds": 1}}}
        with self.invalid(re.compile("Type 'CANARY' is not served; ALL_AT_ONCE is")):
            self.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config, DeploymentConfig=canary)
        self.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=self.make_config(self.variant(self.make_model())))
        with self.invalid(f"Cannot update in-progress endpoint \"{self.arn('endpoint/' + name)}\"."):
            self.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)
        self.wait_in_service(name)
