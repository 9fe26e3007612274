using System.Diagnostics;
using System.Globalization;
using System.Net;

namespace Cube.Benchmarks.Load;

/// <summary>Sends requests to the proxy or to bare YARP and measures them and the processes.</summary>
internal sealed class LoadGenerator(LoadSystem system)
{
    /// <summary>Sends requests one after another on each connection.</summary>
    /// <param name="isCube">True for the proxy, false for bare YARP.</param>
    /// <param name="requests">The requests, which all connections share in turn.</param>
    /// <param name="connections">The number of connections.</param>
    /// <param name="duration">How long to send.</param>
    public async Task<LoadResult> RunAsync(bool isCube, byte[][] requests, int connections, TimeSpan duration)
    {
        var (server, proxy) = isCube ? (system.ProxyAddress, system.Proxy) : (system.YarpAddress, system.Yarp);
        var exchanges = new List<Exchange>[connections];
        var next = -1;
        var (foreign, cpu, agentCpu, memory) = (ForeignCpu(), proxy.Cpu, system.Agent.Cpu, proxy.Memory);
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, connections).Select(connection => Task.Run(async () =>
        {
            exchanges[connection] = new List<Exchange>(4096);
            using var client = new LoadConnection(server);
            while (clock.Elapsed < duration)
            {
                exchanges[connection].Add(await client.SendAsync(requests[(Interlocked.Increment(ref next) & int.MaxValue) % requests.Length], CancellationToken.None));
            }
        })));
        var seconds = clock.Elapsed.TotalSeconds;
        var count = exchanges.Sum(static list => list.Count);
        var after = proxy.Memory;
        return LoadResult.Of([.. exchanges.SelectMany(static list => list)], seconds) with
        {
            ProxyCpu = (proxy.Cpu - cpu).TotalMicroseconds / count,
            AgentCpu = isCube ? (system.Agent.Cpu - agentCpu).TotalMicroseconds / count : 0,
            Allocated = (double)(after.Allocated - memory.Allocated) / count,
            Pauses = (after.Pauses - memory.Pauses) / seconds,
            Collections = (after.Collections - memory.Collections) / seconds,
            Foreign = Math.Max(0, (ForeignCpu() - foreign) / seconds / 2),
        };
    }

    /// <summary>Opens streams at a constant rate, keeps them all open, and reads them to their end.</summary>
    /// <param name="isCube">True for the proxy, false for bare YARP.</param>
    /// <param name="request">The request of each stream.</param>
    /// <param name="streams">The number of concurrent streams.</param>
    /// <param name="perSecond">How many streams begin in a second.</param>
    public async Task<StreamResult> RunStreamsAsync(bool isCube, byte[] request, int streams, int perSecond)
    {
        var (server, proxy) = isCube ? (system.ProxyAddress, system.Proxy) : (system.YarpAddress, system.Yarp);
        var before = proxy.Resident;
        var agentBefore = system.Agent.Resident;
        var running = new List<Task<Exchange>>(streams);
        var clock = Stopwatch.StartNew();
        while (running.Count < streams)
        {
            for (var due = Math.Min(streams, (int)(clock.Elapsed.TotalSeconds * perSecond) + 1); running.Count < due;)
            {
                running.Add(SendAsync(server, request));
            }

            await Task.Delay(1);
        }

        // All streams are open, and each has received its first event.
        await Task.Delay(2000);
        var open = running.Count(static stream => !stream.IsCompleted);
        var (after, agentAfter) = (proxy.Resident, system.Agent.Resident);
        var result = LoadResult.Of(await Task.WhenAll(running), clock.Elapsed.TotalSeconds);
        return new StreamResult(streams, open, result.Failures, result.FirstByte(0.5) / 1000, result.FirstByte(0.99) / 1000, (after - before) / 1024.0 / streams, (agentAfter - agentBefore) / 1024.0 / streams);
    }

    private static async Task<Exchange> SendAsync(IPEndPoint server, byte[] request)
    {
        await Task.Yield();
        using var client = new LoadConnection(server);
        return await client.SendAsync(request, CancellationToken.None);
    }

    /// <summary>The processor time of all processes of this machine except those of the benchmark, in seconds.</summary>
    private double ForeignCpu()
    {
        // cpu user nice system idle iowait irq softirq steal
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(static field => long.Parse(field, CultureInfo.InvariantCulture)).ToArray();
        var busy = (fields[0] + fields[1] + fields[2]) / 100.0;
        return busy - system.Processes.Sum(static process => process.Cpu.TotalSeconds) - Environment.CpuUsage.TotalTime.TotalSeconds;
    }
}

/// <param name="Streams">The number of streams that were opened.</param>
/// <param name="Open">How many of them were open at the same time.</param>
/// <param name="Failed">How many did not end with a complete response.</param>
/// <param name="FirstTokenP50">Median time until the first event, in milliseconds.</param>
/// <param name="FirstTokenP99">The time until the first event that 99 % of the streams kept, in milliseconds.</param>
/// <param name="ProxyKilobytes">Resident memory of the proxy per stream.</param>
/// <param name="AgentKilobytes">Resident memory of the agent per stream.</param>
internal sealed record StreamResult(int Streams, int Open, int Failed, double FirstTokenP50, double FirstTokenP99, double ProxyKilobytes, double AgentKilobytes);
