using System.Globalization;
using System.Reflection;

namespace Cube.AppHost.Hosting;

/// <summary>
/// A service of Cube that is started from its build output. Aspire would start a project with <c>dotnet run</c>, which reads the project again for a second, and does not pass SIGTERM on to the service, so that each stop
/// would take a timeout of six seconds.
/// </summary>
internal sealed class ServiceResource(string name, string program, string workingDirectory) : ExecutableResource(name, program, workingDirectory), IResourceWithServiceDiscovery
{
    /// <summary>The program that the build wrote for a project, beside this one; null if the projects were not built into <c>artifacts</c>.</summary>
    public static string? FindProgram(IProjectMetadata project)
    {
        var name = Path.GetFileNameWithoutExtension(project.ProjectPath);
        var repository = Path.GetDirectoryName(Path.GetDirectoryName(project.ProjectPath))!;
        var configuration = typeof(ServiceResource).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()?.Configuration ?? "Debug";
        var program = Path.Combine(repository, "artifacts", "bin", name, configuration.ToLowerInvariant(), OperatingSystem.IsWindows() ? $"{name}.exe" : name);
        return File.Exists(program) ? program : null;
    }

    /// <summary>The addresses of the listeners, as the setting <c>ASPNETCORE_URLS</c>.</summary>
    public string Urls => string.Join(';', Annotations.OfType<EndpointAnnotation>().Select(static endpoint =>
        string.Create(CultureInfo.InvariantCulture, $"{endpoint.UriScheme}://{endpoint.TargetHost}:{endpoint.TargetPort}")));
}
