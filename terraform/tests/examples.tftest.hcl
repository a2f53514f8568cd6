# The examples plan, with the values that they show.

mock_provider "google" {
  source = "./tests/mocks"
}

run "minimal" {
  module {
    source = "./examples/minimal"
  }
  variables {
    project = "civicwire-test"
  }

  assert {
    condition     = strcontains(output.env_file, "CIVICWIRE_PROJECT=civicwire-test\n") && !strcontains(output.env_file, "CIVICWIRE_KAFKA")
    error_message = "The smallest installation is the warehouse."
  }
}

run "complete" {
  module {
    source = "./examples/complete"
  }
  variables {
    project      = "civicwire-test"
    operators    = ["group:data-engineers@example.org"]
    flink_image  = "us-central1-docker.pkg.dev/civicwire-test/civicwire/flink:2.3.0-1"
    registry_url = "http://registry.civicwire.svc.cluster.local:8080/apis/ccompat/v7"
    budget       = { billing_account = "012345-6789AB-CDEF01", amount = 500 }
  }

  assert {
    condition     = length(regexall("CIVICWIRE_(KAFKA|REGISTRY|FLINK)=", output.env_file)) == 3
    error_message = "The settings do not say where Kafka, registry and Flink are."
  }
}

run "state" {
  module {
    source = "./examples/state"
  }
  variables {
    project   = "civicwire-test"
    operators = ["group:data-engineers@example.org"]
  }

  assert {
    condition     = output.backend == "bucket = \"civicwire-test-terraform-state\"\nprefix = \"civicwire\"\n"
    error_message = "The next example would not find its state."
  }

  assert {
    condition = (
      one(google_storage_bucket.state.versioning).enabled && google_storage_bucket.state.uniform_bucket_level_access &&
      google_storage_bucket.state.public_access_prevention == "enforced" && !google_storage_bucket.state.force_destroy
    )
    error_message = "The state could be lost or seen."
  }
}
