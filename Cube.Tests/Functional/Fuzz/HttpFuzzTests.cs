using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Fuzz;

/// <summary>
/// A bounded run of generated requests against every endpoint that the proxy and Identity describe in their OpenAPI documents. <c>CUBE_FUZZ_SEED</c> chooses
/// the requests (1 by default, 0 for a random seed, which is printed), <c>CUBE_FUZZ_SECONDS</c> (30 at the full level, 8 at the quick one) is the length of the run over both kinds of model server, and <c>CUBE_FUZZ_SLOWEST</c> (5)
/// is the longest that an answer may take, in seconds.
/// </summary>
[Collection(SerialCollectionDefinition.Name)]
public sealed class HttpFuzzTests(PostgresServer postgres, ITestOutputHelper output)
{
    private const int Workers = 6;
    private const long MemoryGrowth = 400L << 20;

    private static readonly int _seconds = Setting("CUBE_FUZZ_SECONDS", TestLevel.Pick(4, 30));
    private static readonly TimeSpan _slowest = TimeSpan.FromSeconds(Setting("CUBE_FUZZ_SLOWEST", 5));

    private readonly ConcurrentQueue<string> _failures = new();
    private readonly ConcurrentDictionary<int, int> _statuses = new();
    private int _sent;

    public static TheoryData<string> Kinds => [.. TestLevel.Pick<string[]>(["vllm"], ["vllm", "ollama"])];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Generated_requests_never_cause_a_500_or_affect_other_tenants(string kind)
    {
        var given = Setting("CUBE_FUZZ_SEED", 1);
        var seed = given > 0 ? given : RandomNumberGenerator.GetInt32(1, int.MaxValue);
        output.WriteLine($"CUBE_FUZZ_SEED={seed}");
        await using var backend = new FakeBackend();
        await backend.StartAsync();
        await using var cube = await CubeSystem.StartAsync(postgres, (kind, backend.Address));
        var operations = await OperationsAsync(cube);
        Assert.True(operations.Count > 80, $"Only {operations.Count} operations are described.");
        var bystander = await cube.CreateTenantAsync();
        var callers = await CallersAsync(cube);

        // The first seconds load code and fill pools. The measurement starts after them.
        await RunAsync(cube, operations, callers, seed, bystander, TimeSpan.FromSeconds(_seconds / 6.0));
        var before = Memory(cube);
        await RunAsync(cube, operations, callers, seed + 1, bystander, TimeSpan.FromSeconds(_seconds / 3.0));
        output.WriteLine($"{_sent} requests; memory {before >> 20} MiB, then {Memory(cube) >> 20} MiB; {string.Join(", ", _statuses.OrderBy(static status => status.Key).Select(static status => $"{status.Key}: {status.Value}"))}");

        Assert.True(_failures.IsEmpty, $"CUBE_FUZZ_SEED={seed}\n{string.Join('\n', _failures.Take(5))}");
        Assert.True(_sent > 100, $"Only {_sent} requests were sent.");
        await Eventually.TrueAsync(() => Task.FromResult(Memory(cube) - before < MemoryGrowth), "memory is back");
        await Eventually.TrueAsync(async () => await ProcessorAsync(cube) < 0.5, "the processors are idle");
    }

    private async Task RunAsync(CubeSystem cube, IReadOnlyList<FuzzOperation> operations, FuzzCaller[] callers, int seed, Tenant bystander, TimeSpan length)
    {
        using var end = new CancellationTokenSource(length);
        var watch = WatchAsync(cube, bystander, end.Token);
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(async worker =>
        {
            var random = new Random(seed ^ (worker << 24));
            var current = callers;
            for (var number = 1; !end.IsCancellationRequested && _failures.Count < 5; number++)
            {
                if (number % 200 == 0)
                {
                    // Callers close their domains, end their sessions and change their passwords.
                    current = await CallersAsync(cube);
                }

                await SendAsync(cube, FuzzRequest.Create(random, operations, current), $"worker {worker}, request {number}");
            }
        }));
        await watch;
    }

    private async Task SendAsync(CubeSystem cube, FuzzRequest request, string number)
    {
        using var message = request.ToMessage();
        var start = Stopwatch.GetTimestamp();
        try
        {
            using var limit = new CancellationTokenSource(_slowest * 2);
            using var response = await cube.Http.SendAsync(message, limit.Token);
            var body = await response.Content.ReadAsStringAsync(limit.Token);
            Interlocked.Increment(ref _sent);
            _statuses.AddOrUpdate((int)response.StatusCode, 1, static (_, count) => count + 1);
            if (FuzzInvariants.Check(request, (int)response.StatusCode, body, Stopwatch.GetElapsedTime(start), _slowest) is { } violated)
            {
                _failures.Enqueue($"{number}: {violated}\n    {request}");
            }
        }
        catch (OperationCanceledException)
        {
            _failures.Enqueue($"{number}: no answer within {_slowest.TotalSeconds * 2} s\n    {request}");
        }
        catch (HttpRequestException) when (!cube["Cube.Proxy"].HasExited)
        {
            // The proxy closes the connection after a failed stream, and Kestrel after malformed HTTP.
        }
    }

    /// <summary>Another tenant chats all the time.</summary>
    private async Task WatchAsync(CubeSystem cube, Tenant bystander, CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            var start = Stopwatch.GetTimestamp();
            var (status, code) = await cube.ChatAsync(bystander.Domain, bystander.Token);
            if (status != 200 || Stopwatch.GetElapsedTime(start) > _slowest)
            {
                _failures.Enqueue($"Another tenant got {status} {code} after {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s.");
            }

            await Task.Delay(100, CancellationToken.None);
        }
    }

    private static async Task<List<FuzzOperation>> OperationsAsync(CubeSystem cube)
    {
        List<FuzzOperation> operations = [];
        foreach (var document in (string[])["/openapi/v1.json", "/openapi/identity.json"])
        {
            operations.AddRange(FuzzOperation.Of(JsonNode.Parse(await cube.Http.GetStringAsync(document))!.AsObject()));
        }

        return operations;
    }

    /// <summary>Two tenants, a member and a personal access token of the first, and a caller without a token.</summary>
    private static async Task<FuzzCaller[]> CallersAsync(CubeSystem cube)
    {
        var (first, second) = (await cube.CreateTenantAsync(), await cube.CreateTenantAsync());
        var member = await cube.CreateMemberAsync(first, "member");
        var (_, secret) = await cube.CreatePatAsync(first, "models/*/*", "domains/*/*");
        string[] ids = [$"{first.UserId}", $"{member.UserId}", $"{first.Domain}", await cube.RoleIdAsync(first, "member")];
        return
        [
            new("the first tenant", first.Domain, first.Token, ids),
            new("a member of the first", first.Domain, member.Token, ids),
            new("a token of the first", first.Domain, secret, ids),
            new("the second tenant", second.Domain, second.Token, [$"{second.UserId}", $"{second.Domain}", await cube.RoleIdAsync(second, "member")]),
            new("no one", second.Domain, null, ids),
        ];
    }

    private static long Memory(CubeSystem cube) => Processes(cube).Sum(static process => process.WorkingSet64);

    /// <returns>The processors that the proxy and Identity use together, over a second.</returns>
    private static async Task<double> ProcessorAsync(CubeSystem cube)
    {
        var before = Processes(cube).Sum(static process => process.TotalProcessorTime.TotalSeconds);
        await Task.Delay(1000);
        return Processes(cube).Sum(static process => process.TotalProcessorTime.TotalSeconds) - before;
    }

    private static Process[] Processes(CubeSystem cube) => [Process.GetProcessById(cube["Cube.Proxy"].Id), Process.GetProcessById(cube["Cube.Identity"].Id)];

    private static int Setting(string name, int usual) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var given) ? given : usual;
}

/// <summary>Measures time and memory: no other test runs beside it.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class SerialCollectionDefinition
{
    public const string Name = "alone";
}
