"""Auth policies, access log subscriptions, domain verifications."""

from __future__ import annotations

import json

from .region import ACCOUNT, NAME, Region, body, client

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"}]}
COMPACT = json.dumps(POLICY, separators=(",", ":"))


def test_a_policy_is_active_only_with_iam(region: Region) -> None:
    for identifier, member in ((region.network(), "serviceNetworkIdentifier"), (region.service(), "serviceIdentifier")):
        assert body(region.lattice.get_auth_policy(resourceIdentifier=identifier)) == {}
        put = body(region.lattice.put_auth_policy(resourceIdentifier=identifier, policy=json.dumps(POLICY, indent=2)))
        assert put == {"policy": COMPACT, "state": "Inactive"}
        update = region.lattice.update_service if member == "serviceIdentifier" else region.lattice.update_service_network
        update(**{member: identifier}, authType="AWS_IAM")
        shown = body(region.lattice.get_auth_policy(resourceIdentifier=identifier))
        assert (shown["policy"], shown["state"], shown["createdAt"]) == (COMPACT, "Active", shown["lastUpdatedAt"])
        changed = region.lattice.put_auth_policy(resourceIdentifier=identifier, policy=COMPACT.replace("Allow", "Deny"))
        assert changed["state"] == "Active"
        again = region.lattice.get_auth_policy(resourceIdentifier=identifier)
        assert again["lastUpdatedAt"] > again["createdAt"] == shown["createdAt"]
        region.lattice.delete_auth_policy(resourceIdentifier=identifier)
        assert region.last_status == 204
        assert body(region.lattice.get_auth_policy(resourceIdentifier=identifier)) == {}
        region.lattice.delete_auth_policy(resourceIdentifier=identifier)


def test_a_policy_on_a_resource_configuration_is_always_active(region: Region) -> None:
    vpc = region.vpc()
    configuration = region.configuration(region.gateway(vpc, region.subnet(vpc)))
    policy = COMPACT.replace("Invoke", "Connect")
    arn = region.lattice.get_resource_configuration(resourceConfigurationIdentifier=configuration)["arn"]
    assert region.lattice.put_auth_policy(resourceIdentifier=arn, policy=policy)["state"] == "Active"
    assert region.lattice.get_auth_policy(resourceIdentifier=configuration)["policy"] == policy
    with region.store.read() as snapshot:
        assert snapshot.rows("vpc-lattice:ResourceConfiguration")[0].document["_policy"] == policy


def test_a_malformed_policy_is_refused_and_the_old_one_stays(region: Region) -> None:
    network = region.network()
    region.lattice.put_auth_policy(resourceIdentifier=network, policy=COMPACT)
    for policy, words in (
        ("{", "Syntax"),
        (COMPACT.replace("Allow", "Perhaps"), "Effect"),
        (COMPACT.replace('"Principal":"*",', ""), "Principal"),
        (json.dumps({**POLICY, "Id": "x" * 11_000}), "larger than"),
    ):
        with region.refused("ValidationException", words) as error:
            region.lattice.put_auth_policy(resourceIdentifier=network, policy=policy)
        assert error["fieldList"][0]["name"] == "policy"
    assert region.lattice.get_auth_policy(resourceIdentifier=network)["policy"] == COMPACT
    with region.refused("ResourceNotFoundException"):
        region.lattice.put_auth_policy(resourceIdentifier="svc-0123456789abcdef0", policy=COMPACT)


def test_access_logs_go_to_log_groups_that_exist(region: Region) -> None:
    network, destination = region.network(), region.log_group()
    created = body(region.lattice.create_access_log_subscription(resourceIdentifier=network, destinationArn=destination + ":*"))
    assert created == {
        "id": created["id"], "arn": f"arn:aws:vpc-lattice:{NAME}:{ACCOUNT}:accesslogsubscription/{created['id']}", "resourceId": network,
        "resourceArn": f"arn:aws:vpc-lattice:{NAME}:{ACCOUNT}:servicenetwork/{network}", "destinationArn": destination + ":*",
        "serviceNetworkLogType": "SERVICE",
    }  # fmt: skip
    with region.refused("ConflictException", "already exist"):
        region.lattice.create_access_log_subscription(resourceIdentifier=network, destinationArn=destination)
    region.lattice.create_access_log_subscription(resourceIdentifier=network, destinationArn=destination, serviceNetworkLogType="RESOURCE")
    shown = region.lattice.list_access_log_subscriptions(resourceIdentifier=network)["items"]
    assert [item["serviceNetworkLogType"] for item in shown] == ["SERVICE", "RESOURCE"]
    other = region.log_group("/lattice/other")
    where = {"accessLogSubscriptionIdentifier": created["id"]}
    assert region.lattice.update_access_log_subscription(**where, destinationArn=other)["destinationArn"] == other
    assert region.lattice.get_access_log_subscription(**where)["destinationArn"] == other
    region.lattice.delete_access_log_subscription(**where)
    with region.refused("ResourceNotFoundException"):
        region.lattice.get_access_log_subscription(**where)
    region.lattice.delete_service_network(serviceNetworkIdentifier=network)
    assert region.lattice.list_access_log_subscriptions(resourceIdentifier=network)["items"] == []


def test_access_logs_elsewhere_are_refused(region: Region) -> None:
    service, network, destination = region.service(), region.network(), region.log_group()
    with region.refused("ValidationException", "neither a CloudWatch log group nor an S3 bucket nor a Firehose delivery stream"):
        region.lattice.create_access_log_subscription(resourceIdentifier=service, destinationArn=f"arn:aws:sqs:{NAME}:{ACCOUNT}:queue")
    elsewhere = ("arn:aws:s3:::bucket/prefix", f"arn:aws:firehose:{NAME}:{ACCOUNT}:deliverystream/one")
    for arn in (*elsewhere, destination + "x", destination.replace(ACCOUNT, "999988887777"), destination.replace(NAME, "eu-north-8")):
        with region.refused("ResourceNotFoundException"):
            region.lattice.create_access_log_subscription(resourceIdentifier=service, destinationArn=arn)
    with region.refused("ValidationException", "service networks only"):
        region.lattice.create_access_log_subscription(resourceIdentifier=service, destinationArn=destination, serviceNetworkLogType="SERVICE")
    created = region.lattice.create_access_log_subscription(resourceIdentifier=service, destinationArn=destination)
    assert "serviceNetworkLogType" not in created
    assert region.lattice.list_access_log_subscriptions(resourceIdentifier=network)["items"] == []


def test_one_subscription_for_each_kind_of_destination(region: Region) -> None:
    service, group = region.service(), region.log_group()
    s3 = client("s3")
    s3.create_bucket(Bucket="access-logs", CreateBucketConfiguration={"LocationConstraint": NAME})
    made = [
        region.lattice.create_access_log_subscription(resourceIdentifier=service, destinationArn=arn)
        for arn in (group, "arn:aws:s3:::access-logs/lattice")
    ]
    with region.refused("ConflictException", "a destination in S3 already exists"):
        region.lattice.create_access_log_subscription(resourceIdentifier=service, destinationArn="arn:aws:s3:::access-logs")
    where = {"accessLogSubscriptionIdentifier": made[1]["id"]}
    with region.refused("ValidationException", "cannot be changed to one in CloudWatch Logs"):
        region.lattice.update_access_log_subscription(**where, destinationArn=group)
    assert region.lattice.update_access_log_subscription(**where, destinationArn="arn:aws:s3:::access-logs")["destinationArn"] == "arn:aws:s3:::access-logs"
    with region.refused("ValidationException", "number of seconds from 1 to 900"):
        region.lattice.tag_resource(resourceArn=made[1]["arn"], tags={"latticewall:interval": "0"})
    region.lattice.tag_resource(resourceArn=made[1]["arn"], tags={"latticewall:interval": "5"})


def test_a_bucket_of_another_account_must_let_delivery_in(region: Region) -> None:
    service, other = region.service(), client("s3", "999988887777")
    other.create_bucket(Bucket="central-logs", CreateBucketConfiguration={"LocationConstraint": NAME})
    subscribe = {"resourceIdentifier": service, "destinationArn": "arn:aws:s3:::central-logs"}
    with region.refused("ValidationException", "does not allow delivery.logs.amazonaws.com"):
        region.lattice.create_access_log_subscription(**subscribe)
    statement = {
        "Effect": "Allow", "Principal": {"Service": "delivery.logs.amazonaws.com"}, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::central-logs/*",
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT, "s3:x-amz-acl": "bucket-owner-full-control"}},
    }  # fmt: skip
    other.put_bucket_policy(Bucket="central-logs", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    region.lattice.create_access_log_subscription(**subscribe)


def publish(region: Region, name: str, value: str) -> None:
    zone = region.route53.create_hosted_zone(Name="example.net", CallerReference=value)["HostedZone"]["Id"]
    record = {"Name": name, "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": f'"{value}"'}]}
    region.route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]})


def test_a_domain_is_verified_by_its_record(region: Region) -> None:
    started = body(region.lattice.start_domain_verification(domainName="example.net", tags={"team": "core"}))
    assert (started["status"], region.last_status) == ("PENDING", 201)
    record = started["txtMethodConfig"]
    assert record["name"].startswith("_")
    assert record["name"].endswith(".example.net")
    assert record["value"].startswith("vpc-lattice:")
    where = {"domainVerificationIdentifier": started["id"]}
    publish(region, record["name"], "vpc-lattice:" + "0" * 32)
    assert region.lattice.get_domain_verification(**where)["status"] == "PENDING"
    publish(region, record["name"], record["value"])
    shown = body(region.lattice.get_domain_verification(**where))
    assert (shown["status"], shown["tags"], shown["domainName"]) == ("VERIFIED", {"team": "core"}, "example.net")
    assert shown["lastVerifiedTime"] > shown["createdAt"]
    with region.refused("ConflictException", "already exist"):
        region.lattice.start_domain_verification(domainName="Example.net")
    region.lattice.delete_domain_verification(**where)
    assert region.last_status == 200
    assert region.lattice.list_domain_verifications()["items"] == []


def test_a_verification_is_noticed_without_being_asked_for(region: Region) -> None:
    started = region.lattice.start_domain_verification(domainName="example.net")
    publish(region, started["txtMethodConfig"]["name"], started["txtMethodConfig"]["value"])
    region.settle()
    with region.store.read() as snapshot:
        assert snapshot.rows("vpc-lattice:DomainVerification")[0].document["status"] == "VERIFIED"
    revision = region.store.revision
    region.settle()
    assert region.store.revision == revision


def test_a_configuration_shows_the_state_of_its_domain(region: Region) -> None:
    vpc = region.vpc()
    gateway = region.gateway(vpc, region.subnet(vpc))
    started = region.lattice.start_domain_verification(domainName="example.net")
    with region.refused("ValidationException", "does not cover db.example.org"):
        region.configuration(gateway, customDomainName="db.example.org", domainVerificationIdentifier=started["id"])
    configuration = region.configuration(gateway, customDomainName="db.example.net", domainVerificationIdentifier=started["arn"])
    shown = region.lattice.get_resource_configuration(resourceConfigurationIdentifier=configuration)
    assert (shown["domainVerificationStatus"], shown["domainVerificationId"]) == ("PENDING", started["id"])
    (item,) = region.lattice.list_resource_configurations(domainVerificationIdentifier=started["id"])["items"]
    assert item["customDomainName"] == "db.example.net"
    region.lattice.delete_domain_verification(domainVerificationIdentifier=started["id"])
    assert "domainVerificationStatus" not in region.lattice.get_resource_configuration(resourceConfigurationIdentifier=configuration)
