using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Cube.Benchmarks;
using Cube.Benchmarks.Load;

if (args is ["load", .. var options])
{
    return await LoadCommand.RunAsync(options);
}

// In this process: what is measured is internal, and a generated project would not see it.
BenchmarkSwitcher.FromAssembly(typeof(AuthorizationBenchmarks).Assembly)
    .Run(args, DefaultConfig.Instance.AddJob(Job.Default.WithToolchain(InProcessEmitToolchain.Instance)));
return 0;
