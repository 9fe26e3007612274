using System.Diagnostics;
using System.Globalization;
using Cube.AppHost.Settings;
using Cube.AppHost.Startup;

namespace Cube.AppHost.Postgres;

/// <summary>
/// A PostgreSQL cluster of this Cube's own on the host, open to Cube alone: loopback, a generated password, no Unix socket.
/// PostgreSQL refuses to run as root, so that root's Cube runs it as an unprivileged user.
/// </summary>
internal sealed record HostPostgres(string Cluster, PostgresPrograms Programs, string? RunAs)
{
    public const string User = "cube";

    /// <summary>Names where the cluster is, when it is not in the data directory.</summary>
    private const string Note = "postgres.path";

    /// <exception cref="StartupException">There is no PostgreSQL, or the cluster cannot be made.</exception>
    public static async Task<HostPostgres> PrepareAsync(DataDirectory data, string password, TextWriter progress)
    {
        var runAs = Environment.IsPrivilegedProcess && !OperatingSystem.IsWindows() ? UnprivilegedUser() : null;
        var cluster = Locate(data, runAs);
        var version = Path.Combine(cluster, "PG_VERSION");
        int? major = File.Exists(version) ? int.Parse(File.ReadAllText(version).Trim(), CultureInfo.InvariantCulture) : null;
        var postgres = new HostPostgres(cluster, await PostgresPrograms.FindAsync(major, progress), runAs);
        if (major is null)
        {
            await postgres.InitializeAsync(data, password);
        }
        else
        {
            await postgres.WaitForPredecessorAsync();
        }

        return postgres;
    }

    /// <returns>Program and arguments, as the user that the server runs as.</returns>
    public (string Program, string[] Arguments) Command(string program, params string[] arguments) => RunAs is null
        ? (program, arguments)
        : ("setpriv", [$"--reuid={RunAs}", $"--regid={GroupOf(RunAs)}", "--clear-groups", "--", program, .. arguments]);

    private static string Locate(DataDirectory data, string? runAs)
    {
        if (File.Exists(data[Note]))
        {
            return File.ReadAllText(data[Note]).Trim();
        }

        if (runAs is null || OthersCanPass(data.Path))
        {
            return data["postgres"];
        }

        var elsewhere = $"/var/lib/cube/{data.Id}/postgres";
        Directory.CreateDirectory(Path.GetDirectoryName(elsewhere)!);
        data.Write(Note, elsewhere);
        return elsewhere;
    }

    private static bool OthersCanPass(string path)
    {
        for (var folder = new DirectoryInfo(path); folder is not null; folder = folder.Parent)
        {
            if (!OperatingSystem.IsWindows() && !folder.UnixFileMode.HasFlag(UnixFileMode.OtherExecute))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Made beside its place and moved there when it is whole: a crash leaves none or all of it.</summary>
    private async Task InitializeAsync(DataDirectory data, string password)
    {
        var (building, passwordFile) = (Cluster + ".new", Cluster + ".password");
        try
        {
            if (Directory.Exists(building))
            {
                Directory.Delete(building, recursive: true);
            }

            Directory.CreateDirectory(building);
            data.Write(Path.GetFileName(passwordFile), password);
            if (Path.GetDirectoryName(passwordFile) != data.Path)
            {
                File.Move(data[Path.GetFileName(passwordFile)], passwordFile, overwrite: true);
            }

            if (RunAs is not null)
            {
                await Commands.RunAsync("chown", $"{RunAs}:{GroupOf(RunAs)}", building, passwordFile);
            }

            var (program, arguments) = Command(
                Programs["initdb"], "-D", building, "-U", User, "-A", "scram-sha-256", $"--pwfile={passwordFile}", "-E", "UTF8", "--locale=C");
            await Commands.RunAsync(program, arguments);
            Directory.Move(building, Cluster);
        }
        finally
        {
            File.Delete(passwordFile);
        }
    }

    /// <summary>After a kill the old server may still be going down: two on one cluster would not start.</summary>
    private async Task WaitForPredecessorAsync()
    {
        var file = Path.Combine(Cluster, "postmaster.pid");
        for (var waited = Stopwatch.StartNew(); File.Exists(file) && waited.Elapsed < TimeSpan.FromSeconds(30); await Task.Delay(200))
        {
            if (!int.TryParse((await File.ReadAllLinesAsync(file)).FirstOrDefault(), CultureInfo.InvariantCulture, out var pid) || !IsPostgres(pid))
            {
                return;
            }

            if (waited.Elapsed > TimeSpan.FromSeconds(5) && !OperatingSystem.IsWindows())
            {
                // SIGINT is PostgreSQL's fast shutdown: sessions end, nothing that was committed is lost.
                await Commands.SucceedsAsync("kill", ["-INT", pid.ToString(CultureInfo.InvariantCulture)], TimeSpan.FromSeconds(5));
            }
        }
    }

    private static bool IsPostgres(int pid)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            return process.ProcessName.StartsWith("postgres", StringComparison.Ordinal);
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private static string UnprivilegedUser()
    {
        if (Commands.Find("setpriv") is null)
        {
            throw new StartupException("PostgreSQL does not run as root and setpriv is missing: install util-linux, or start Cube as an ordinary user.");
        }

        string[] candidates = ["postgres", "nobody"];
        return candidates.FirstOrDefault(static user => Account(user) is not null)
            ?? throw new StartupException("PostgreSQL does not run as root and there is neither a user postgres nor nobody: start Cube as an ordinary user.");
    }

    // postgres:x:104:112:PostgreSQL administrator:/var/lib/postgresql:/bin/bash
    private static string[]? Account(string user) =>
        File.ReadLines("/etc/passwd").Select(static line => line.Split(':')).FirstOrDefault(fields => fields.Length > 3 && fields[0] == user);

    private static string GroupOf(string user) => Account(user)![3];
}
