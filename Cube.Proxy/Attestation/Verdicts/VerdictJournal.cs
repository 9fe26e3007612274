using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading.Channels;
using Cube.Attestation;
using Cube.Attestation.Evidence;
using Cube.Attestation.Verdicts;
using Cube.Proxy.Database;
using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Cube.Proxy.Attestation.Verdicts;

/// <summary>
/// Keeps every judgement, and the evidence behind it once under its hash, so that an auditor can repeat it. It is written behind the
/// request's back; a database that is away costs entries, which is logged, and never a request.
/// </summary>
internal sealed partial class VerdictJournal(ProxyDatabase database, IOptions<VerdictOptions> options, TimeProvider time, ILogger<VerdictJournal> logger) : BackgroundService
{
    public static JsonSerializerOptions Format { get; } = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
    };

    private static readonly TimeSpan _sweep = TimeSpan.FromHours(6);
    private readonly Channel<(Uri Backend, Verdict Verdict)> _queue =
        Channel.CreateBounded<(Uri, Verdict)>(new BoundedChannelOptions(256) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    public void Keep(Uri backend, Verdict verdict)
    {
        if (!_queue.Writer.TryWrite((backend, verdict)))
        {
            Dropped();
        }
    }

    /// <returns>The evidence as it was judged, or null.</returns>
    public async Task<byte[]?> FindEvidenceAsync(string sha256, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        return await connection.QuerySingleOrDefaultAsync<byte[]>(new CommandDefinition(
            "select evidence from attestation_evidence where sha256 = @sha256", new { sha256 }, cancellationToken: ct));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var sweptAt = DateTimeOffset.MinValue;
        try
        {
            await foreach (var (backend, verdict) in _queue.Reader.ReadAllAsync(stoppingToken))
            {
                try
                {
                    await WriteAsync(backend, verdict, stoppingToken);
                    if (time.GetUtcNow() - sweptAt > _sweep)
                    {
                        await SweepAsync(stoppingToken);
                        sweptAt = time.GetUtcNow();
                    }
                }
                catch (Exception exception) when (exception is NpgsqlException or TimeoutException or IOException)
                {
                    NotKept(exception.GetType().Name);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The proxy stops.
        }
    }

    private async Task WriteAsync(Uri backend, Verdict verdict, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        if (verdict.Evidence is { } evidence)
        {
            // The hash names the evidence as it was judged, collateral included.
            await connection.ExecuteAsync(new CommandDefinition(
                "insert into attestation_evidence (sha256, evidence) values (@sha256, @bytes) on conflict do nothing",
                new { sha256 = verdict.EvidenceSha256, bytes = EvidenceJson.Write(evidence) }, cancellationToken: ct));
        }

        await connection.ExecuteAsync(new CommandDefinition(
            """
            insert into attestation_verdicts (evaluated_at, outcome, code, backend, policy_id, policy_version, evidence_sha256, verdict)
            values (@EvaluatedAt, @outcome, @Code, @backend, @PolicyId, @PolicyVersion, @EvidenceSha256, @verdict::jsonb)
            """,
            new
            {
                EvaluatedAt = verdict.EvaluatedAt.UtcDateTime,
                outcome = JsonNamingPolicy.KebabCaseLower.ConvertName(verdict.Outcome.ToString()),
                verdict.Code,
                backend = backend.ToString(),
                verdict.PolicyId,
                verdict.PolicyVersion,
                verdict.EvidenceSha256,
                verdict = JsonSerializer.Serialize(verdict, Format),
            }, cancellationToken: ct));
    }

    private async Task SweepAsync(CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await connection.ExecuteAsync(new CommandDefinition(
            """
            delete from attestation_verdicts where evaluated_at < now() - make_interval(days => @KeepDays);
            delete from attestation_evidence e where kept_at < now() - make_interval(days => @KeepDays)
                and not exists (select from attestation_verdicts v where v.evidence_sha256 = e.sha256)
            """,
            new { options.Value.KeepDays }, commandTimeout: 60, cancellationToken: ct));
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A verdict could not be kept: too many wait for the database")]
    private partial void Dropped();

    [LoggerMessage(Level = LogLevel.Error, Message = "A verdict could not be kept: {Reason}")]
    private partial void NotKept(string reason);
}
