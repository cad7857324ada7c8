package florenz;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.beam.model.pipeline.v1.RunnerApi;
import org.apache.beam.runners.flink.FlinkPipelineOptions;
import org.apache.beam.runners.flink.FlinkPipelineRunner;
import org.apache.beam.runners.flink.FlinkRunner;
import org.apache.beam.runners.fnexecution.provisioning.JobInfo;
import org.apache.beam.runners.jobsubmission.PortablePipelineResult;
import org.apache.beam.sdk.options.PipelineOptionsFactory;
import org.apache.beam.sdk.util.construction.PipelineOptionsTranslation;

/**
 * Runs one pipeline on a Flink inside this process: Driver PIPELINE METRICS PARALLELISM.
 *
 * <p>PIPELINE holds a RunnerApi.Pipeline; METRICS gets the JobApi.MetricResults of the job. Status 1, and the stack
 * trace on standard error, when the job fails.
 */
public final class Driver {
  public static void main(String[] words) {
    int status = 0;
    try {
      RunnerApi.Pipeline pipeline = RunnerApi.Pipeline.parseFrom(Files.readAllBytes(Path.of(words[0])));
      FlinkPipelineOptions options = PipelineOptionsFactory.as(FlinkPipelineOptions.class);
      options.setRunner(FlinkRunner.class);
      options.setFlinkMaster("[local]");
      options.setParallelism(Integer.parseInt(words[2]));
      JobInfo job = JobInfo.create("florenz", "florenz", "", PipelineOptionsTranslation.toProto(options));
      PortablePipelineResult result = new FlinkPipelineRunner(options, null, List.of()).run(pipeline, job);
      Files.write(Path.of(words[1]), result.portableMetrics().toByteArray());
      System.err.println("florenz.Driver: " + result.getState());
    } catch (Throwable problem) {
      problem.printStackTrace();
      status = 1;
    }
    System.exit(status); // Flink's threads would go on
  }
}
