"""Elastic Load Balancing's resource kinds. A resource's id is the end of its ARN: "app/web/0123456789abcdef", and below it its listeners and rules."""

from __future__ import annotations

from latticewall.resources.kind import Kind, Lifecycle, Ref
from latticewall.services.elbv2 import nouns, view

ARN = "arn:aws:elasticloadbalancing:{region}:{account}:"

KINDS = (
    Kind(
        nouns.LOAD_BALANCER, arn_member="LoadBalancerArn", name_member="LoadBalancerName", unique="region", arn=ARN + "loadbalancer/{id}",
        owns=(nouns.LISTENER,), lifecycle=Lifecycle(settles=True), view=view.load_balancer, removing=view.release,
        cloudformation="AWS::ElasticLoadBalancingV2::LoadBalancer",
        refs={
            "Vpc": Ref(nouns.VPC), "Subnets": Ref(nouns.SUBNET), "SecurityGroups": Ref(nouns.SECURITY_GROUP),
            "Interfaces": Ref(nouns.NETWORK_INTERFACE),
        },
        not_found_text="Load balancer '{id}' not found",
    ),
    Kind(
        nouns.LISTENER, arn_member="ListenerArn", arn=ARN + "listener/{id}", owns=(nouns.RULE,), view=view.listener,
        refs={"Certificates": Ref(nouns.CERTIFICATE), "FurtherCertificates": Ref(nouns.CERTIFICATE)},
        cloudformation="AWS::ElasticLoadBalancingV2::Listener", not_found_text="Listener '{id}' not found",
    ),
    Kind(
        nouns.RULE, arn_member="RuleArn", arn=ARN + "listener-rule/{id}", view=view.rule, refs={"TargetGroups": Ref(nouns.TARGET_GROUP)},
        cloudformation="AWS::ElasticLoadBalancingV2::ListenerRule", not_found_text="Rule '{id}' not found",
    ),
    Kind(
        nouns.TARGET_GROUP, arn_member="TargetGroupArn", name_member="TargetGroupName", unique="region", arn=ARN + "targetgroup/{id}",
        view=view.target_group, refs={"VpcId": Ref(nouns.VPC, "clear")}, cloudformation="AWS::ElasticLoadBalancingV2::TargetGroup",
        not_found_text="Target group '{id}' not found",
    ),
)  # fmt: skip
