package org.apache.beam.runners.jobsubmission;

import org.apache.beam.model.jobmanagement.v1.JobApi;
import org.apache.beam.sdk.PipelineResult;

/** Of Beam's job service, which the central repository lacks; all that the Flink runner needs of it. */
public interface PortablePipelineResult extends PipelineResult {
  JobApi.MetricResults portableMetrics();
}
