# A wrong value is refused before anything is planned. Each run breaks one rule.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project = "civicwire-test"
}

run "project_by_name" {
  command         = plan
  expect_failures = [var.project]
  variables { project = "My Project" }
}

run "region_is_a_zone" {
  command         = plan
  expect_failures = [var.region]
  variables { region = "us-central1-a" }
}

run "location_in_lower_case" {
  command         = plan
  expect_failures = [var.location]
  variables { location = "us" }
}

run "prefix_too_long_for_an_account" {
  command         = plan
  expect_failures = [var.prefix]
  variables { prefix = "public-safety-civic" }
}

run "longest_prefix" {
  command = plan
  variables {
    prefix = "public-safety-civi"
    flink  = { image = "example.org/flink:2.3.0-1" }
  }
  assert {
    condition     = length(google_service_account.nodes[0].account_id) == 30
    error_message = "The longest prefix does not fill an account's id."
  }
}

run "dataset_with_a_hyphen" {
  command         = plan
  expect_failures = [var.dataset]
  variables { dataset = "public-safety" }
}

run "label_in_capitals" {
  command         = plan
  expect_failures = [var.labels]
  variables { labels = { Team = "data" } }
}

run "label_of_the_module" {
  command         = plan
  expect_failures = [var.labels]
  variables { labels = { application = "other" } }
}

run "group_with_a_prefix" {
  command         = plan
  expect_failures = [var.reader_groups]
  variables { reader_groups = ["group:analysts@example.org"] }
}

run "everybody_as_writer" {
  command         = plan
  expect_failures = [var.impersonators]
  variables { impersonators = { writer = ["allAuthenticatedUsers"] } }
}

run "every_workload_of_a_pool_as_writer" {
  command         = plan
  expect_failures = [var.impersonators]
  variables { impersonators = { writer = ["principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/*"] } }
}

run "unknown_identity" {
  command         = plan
  expect_failures = [var.impersonators]
  variables { impersonators = { admin = ["user:ada@example.org"] } }
}

run "flink_that_is_not_there" {
  command         = plan
  expect_failures = [var.impersonators]
  variables { impersonators = { flink = ["user:ada@example.org"] } }
}

run "secret_for_nobody_known" {
  command         = plan
  expect_failures = [var.secrets]
  variables { secrets = { token = ["everyone"] } }
}

run "secret_named_like_a_variable" {
  command         = plan
  expect_failures = [var.secrets]
  variables { secrets = { SOCRATA_APP_TOKEN = ["producer"] } }
}

run "loads_kept_for_ever" {
  command         = plan
  expect_failures = [var.loads_keep_days]
  variables { loads_keep_days = 0 }
}

run "key_in_another_location" {
  command         = plan
  expect_failures = [var.kms_keys]
  variables { kms_keys = { warehouse = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k" } }
}

run "key_in_another_region" {
  command         = plan
  expect_failures = [var.kms_keys]
  variables { kms_keys = { regional = "projects/p/locations/us/keyRings/r/cryptoKeys/k" } }
}

run "billing_account_by_name" {
  command         = plan
  expect_failures = [var.budget]
  variables { budget = { billing_account = "My Billing", amount = 50 } }
}

run "budget_of_nothing" {
  command         = plan
  expect_failures = [var.budget]
  variables { budget = { billing_account = "012345-6789AB-CDEF01", amount = 0 } }
}

run "budget_in_percent" {
  command         = plan
  expect_failures = [var.budget]
  variables { budget = { billing_account = "012345-6789AB-CDEF01", amount = 50, thresholds = [50, 100] } }
}

run "budget_in_an_unknown_currency" {
  command         = plan
  expect_failures = [var.budget]
  variables { budget = { billing_account = "012345-6789AB-CDEF01", amount = 50, currency = "$" } }
}

run "budget_to_nobody" {
  command         = plan
  expect_failures = [var.budget]
  variables { budget = { billing_account = "012345-6789AB-CDEF01", amount = 50, emails = ["nobody"] } }
}

run "kafka_in_one_zone" {
  command         = plan
  expect_failures = [var.kafka]
  variables { kafka = { vcpus = 1, memory_gib = 4 } }
}

run "kafka_with_too_little_memory" {
  command         = plan
  expect_failures = [var.kafka]
  variables { kafka = { vcpus = 6, memory_gib = 4 } }
}

run "flink_of_yesterday_or_tomorrow" {
  command         = plan
  expect_failures = [var.flink]
  variables { flink = { image = "example.org/flink:latest" } }
}

run "flink_of_any_tag" {
  command         = plan
  expect_failures = [var.flink]
  variables { flink = { image = "example.org/flink" } }
}

run "flink_in_the_default_namespace" {
  command         = plan
  expect_failures = [var.flink]
  variables { flink = { image = "example.org/flink:2.3.0-1", namespace = "default" } }
}

run "flink_with_half_a_task_manager" {
  command         = plan
  expect_failures = [var.flink]
  variables { flink = { image = "example.org/flink:2.3.0-1", task_managers = 1.5 } }
}

run "flink_with_slots_for_one_job" {
  command         = plan
  expect_failures = [var.flink]
  variables { flink = { image = "example.org/flink:2.3.0-1", slots = 3 } }
}

run "flink_with_checkpoints_later_than_transactions_live" {
  command         = plan
  expect_failures = [var.flink]
  variables { flink = { image = "example.org/flink:2.3.0-1", checkpoint_seconds = 300 } }
}

run "flink_with_more_memory_than_autopilot_gives" {
  command         = plan
  expect_failures = [var.flink]
  variables { flink = { image = "example.org/flink:2.3.0-1", task_manager_memory_gib = 16 } }
}

run "flink_of_half_a_version" {
  command         = plan
  expect_failures = [var.flink]
  variables { flink = { image = "example.org/flink:2.3.0-1", version = "2.3" } }
}

run "registry_without_a_scheme" {
  command         = plan
  expect_failures = [var.registry_url]
  variables { registry_url = "registry:8080" }
}

run "network_too_small" {
  command         = plan
  expect_failures = [var.network_cidr]
  variables { network_cidr = "10.64.0.0/24" }
}
