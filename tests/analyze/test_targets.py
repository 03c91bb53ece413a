"""Who would answer, and what stands between the service network and him: functions, weights, fail-open, filters, load balancers."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from tests.region import ACCOUNT

from .lab import Lab, gate, outcomes


class Targets(Lab):
    """The lab; its rule forwards to whatever a test names."""

    def forward(self, **weights: int) -> None:
        """Keys are target group ids, with _ for -."""
        groups = [{"targetGroupIdentifier": name.replace("_", "-"), "weight": weight} for name, weight in weights.items()]
        action = {"forward": {"targetGroups": groups}}
        self.lattice.update_rule(serviceIdentifier=self.service, listenerIdentifier=self.listener, ruleIdentifier=self.rule, action=action)

    def group(self, name: str, kind: str, *targets: str, port: int = 8080) -> str:
        config = {} if kind == "LAMBDA" else {"config": {"port": port, "protocol": "HTTP", "vpcIdentifier": self.vpc}}
        made = str(self.lattice.create_target_group(name=name, type=kind, **config)["id"])
        self.region.settle()
        if targets:
            answer = self.lattice.register_targets(targetGroupIdentifier=made, targets=[{"id": target} for target in targets])
            assert answer["unsuccessful"] == []
        return made

    def asks(self, group: str, path: str = "/today", **params: Any) -> dict[str, Any]:
        self.forward(**{group.replace("-", "_"): 100})
        return self.ask(path, **params)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Targets:
    return Targets(tmp_path_factory.mktemp("targets"))


def test_a_function(lab: Targets) -> None:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as file:
        file.writestr("app.py", "def handler(event, context): return {}")
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    role = lab.iam.create_role(RoleName="function", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    made = lab.region.of(ACCOUNT, "lambda").create_function(
        FunctionName="answer", Runtime="python3.12", Role=role, Handler="app.handler", Code={"ZipFile": package.getvalue()}
    )
    group = lab.group("function", "LAMBDA", made["FunctionArn"])
    arn = lab.lattice.get_target_group(targetGroupIdentifier=group)["arn"]
    lab.logged(targetGroupArn=arn, targetIpPort="/run/functions.sock", requestId="function")
    told = gate(lab.explained("function"), "target")
    assert (told["outcome"], told["detail"], told["decided_by"]) == ("pass", "a function answered 200", arn)
    answer = lab.asks(group)
    assert (answer["verdict"], gate(answer, "target")["detail"].endswith("a function")) == ("allowed", True), answer
    assert "no registered target" in gate(lab.asks(lab.group("no-function", "LAMBDA")), "target")["detail"]


def test_weights_and_shares(lab: Targets) -> None:
    one, two, none = lab.group("one", "IP", "10.0.1.81"), lab.group("two", "IP", "10.0.1.82"), lab.group("none", "IP")
    lab.forward(**{one.replace("-", "_"): 30, two.replace("-", "_"): 90, none.replace("-", "_"): 0})
    detail = gate(lab.ask(), "target")["detail"]
    assert f"{one} (25 % of requests): 10.0.1.81:8080 not checked; {two} (75 % of requests)" in detail
    assert none not in detail, "it gets nothing"
    lab.forward(**{one.replace("-", "_"): 1, none.replace("-", "_"): 1})
    answer = lab.ask()
    assert answer["verdict"] == "allowed", "half of it is"
    assert gate(answer, "target")["detail"].endswith(f"the answer is 503 for the share of {none}")
    lab.forward(**{none.replace("-", "_"): 0})
    assert gate(lab.ask(), "target")["detail"] == "the rule forwards to no target group with a weight: the answer is 500"


def test_no_healthy_target_means_all(lab: Targets) -> None:
    group = lab.group("ill", "IP", "10.0.1.83", "10.0.1.84")
    lab.health[group] = {("10.0.1.83", 8080): "UNHEALTHY", ("10.0.1.84", 8080): "UNHEALTHY"}
    answer = lab.asks(group)
    assert (answer["verdict"], "none is healthy, so requests go to all of them" in gate(answer, "target")["detail"]) == ("allowed", True)
    lab.health[group][("10.0.1.84", 8080)] = "HEALTHY"
    assert "none is healthy" not in gate(lab.asks(group), "target")["detail"]


def test_what_closes_the_way_to_a_target(lab: Targets) -> None:
    """An instance that is its own client: the group named `client` lets nothing in yet."""
    group = lab.group("instances", "INSTANCE", lab.web)
    answer = lab.asks(group)
    assert (answer["verdict"], outcomes(answer)["target-security-group"]) == ("denied", "fail")
    assert gate(answer, "target-security-group")["change"] == [f"allow TCP 8080 from 169.254.171.2 in an ingress rule of {lab.client_group}"]
    from_lattice = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "IpRanges": [{"CidrIp": "169.254.171.0/24"}]}
    lab.ec2.authorize_security_group_ingress(GroupId=lab.client_group, IpPermissions=[from_lattice])
    assert lab.asks(group)["verdict"] == "allowed"
    with lab.closing(lab.subnet) as acl:
        lab.entry(acl, 100, egress=True, cidr="0.0.0.0/0", ports=(0, 65535))
        lab.entry(acl, 100, egress=False, cidr="169.254.171.0/24", ports=(32768, 65535))
        found = gate(lab.asks(group), "target-network-acl")
        assert (found["outcome"], found["decided_by"]) == ("fail", f"{acl} *")
        lab.entry(acl, 101, egress=False, cidr="169.254.171.0/24", ports=(8080, 8080))
        assert lab.asks(group)["verdict"] == "allowed"
    both = lab.group("mixed", "IP", lab.address, "10.0.1.99")
    assert outcomes(lab.asks(both))["target-security-group"] == "pass"


def test_a_load_balancer_s_rule_and_targets_are_further_gates(lab: Targets) -> None:
    elb, node_group = lab.region.elbv2, lab._group("balancer")
    inner = lab.region.subnet(lab.vpc, "10.0.7.0/24", "b")
    balancer = elb.create_load_balancer(Name="inner", Scheme="internal", Subnets=[lab.subnet, inner], SecurityGroups=[node_group])["LoadBalancers"][0]
    lab.region.settle()
    pool = elb.create_target_group(Name="pool", Protocol="HTTP", Port=9000, VpcId=lab.vpc, TargetType="instance")["TargetGroups"][0]["TargetGroupArn"]
    fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "418"}}
    listener = elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[fixed])["Listeners"][0]["ListenerArn"]
    conditions = [{"Field": "path-pattern", "Values": ["/today/*"]}, {"Field": "host-header", "Values": ["*.on.aws"]}]
    forward = [{"Type": "forward", "TargetGroupArn": pool}]
    rule = elb.create_rule(ListenerArn=listener, Priority=5, Conditions=conditions, Actions=forward)["Rules"][0]["RuleArn"]
    group = lab.group("balanced", "ALB", balancer["LoadBalancerArn"], port=80)
    assert outcomes(lab.asks(group))["target-security-group"] == "fail", "the load balancer's groups let nobody in"
    lab.ec2.authorize_security_group_ingress(GroupId=node_group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "169.254.171.0/24"}]}])
    answer = lab.asks(group)
    assert (answer["verdict"], outcomes(answer)["balancer-target"]) == ("allowed", "skip")
    assert gate(answer, "balancer-target")["detail"] == "the rule answers 418 itself"
    answer = lab.asks(group, "/today/rates?x=1")
    assert (answer["verdict"], gate(answer, "balancer-rule")["decided_by"]) == ("denied", rule)
    assert gate(answer, "balancer-target")["detail"].endswith("has no registered target: the answer is 503")
    (node, *_) = lab.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": ["ELB app/inner/*"]}])["NetworkInterfaces"]
    made = {"requestPath": "/today/rates", "targetNamespace": lab.vpc, "targetIpPort": f"{node['PrivateIpAddress']}:80"}
    lab.logged(**made, responseCode=503)
    told = lab.explained()
    assert (told["verdict"], gate(told, "balancer-rule")["decided_by"], outcomes(told)["target"]) == ("denied", rule, "pass")
    lab.logged(**made, requestId="id-2")
    assert lab.explained("id-2")["verdict"] == "allowed", "it was answered then"
    elb.register_targets(TargetGroupArn=pool, Targets=[{"Id": lab.web}])
    lab.region.settle()
    answer = lab.asks(group, "/today/rates")
    assert outcomes(answer)["balancer-target"] == "pass"
    assert outcomes(answer)["balancer-target-security-group-egress"] == "pass"
    assert gate(answer, "balancer-target-security-group")["outcome"] == "fail"
    peer = {"IpProtocol": "tcp", "FromPort": 9000, "ToPort": 9000, "UserIdGroupPairs": [{"GroupId": node_group}]}
    lab.ec2.authorize_security_group_ingress(GroupId=lab.client_group, IpPermissions=[peer])
    assert lab.asks(group, "/today/rates")["verdict"] == "allowed"
    elb.delete_listener(ListenerArn=listener)
    assert "has no listener on port 80" in gate(lab.asks(group), "balancer-rule")["detail"]
