using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using Cube.Proxy.Attestation;
using Cube.Proxy.Management;

namespace Cube.Tests.Repository;

/// <summary>Rules about references, checked in the IL of the assemblies.</summary>
public sealed class ArchitectureTests
{
    /// <summary>Members of .NET that open a connection or create an object that does.</summary>
    private static readonly string[] _openers =
    [
        "System.Net.Http.SocketsHttpHandler", "System.Net.Http.HttpClientHandler", "System.Net.Http.HttpClient..ctor", "System.Net.Http.HttpMessageInvoker..ctor",
        "System.Net.Sockets.Socket", "System.Net.Sockets.TcpClient", "System.Net.Sockets.NetworkStream", "System.Net.Security.SslStream", "System.Net.WebSockets.ClientWebSocket",
        "System.Net.Quic.QuicConnection", "System.Net.WebClient", "System.Net.WebRequest", "Cube.ServiceDefaults.Networking.BackendHttpHandler",
    ];

    /// <summary>
    /// The proxy connects to model servers only with channels that <c>Cube.Attestation</c> creates after a verdict. Its other connections are to Identity,
    /// in <c>IdentityForwarding</c>, and named clients for Identity, the authorization engine and the vendors.
    /// </summary>
    [Fact]
    public void Only_attested_channels_connect_the_proxy_to_model_servers()
    {
        var users = Uses("Cube.Proxy.dll").Where(static use => _openers.Any(opener => use.Member.StartsWith(opener, StringComparison.Ordinal))).ToList();
        Assert.All(users, static use => Assert.StartsWith("Cube.Proxy.Management.IdentityForwarding", use.Type, StringComparison.Ordinal));
        Assert.NotEmpty(users);
        Assert.Equal(
            ["Cube.Proxy.Attestation.AttestationExtensions"],
            Uses("Cube.Proxy.dll").Where(static use => use.Member == "Cube.Attestation.Atls.AttestedChannelFactory..ctor").Select(static use => use.Type.Split('/')[0].Split('+')[0]).Distinct());
    }

    [Fact]
    public void Only_the_attestation_assembly_creates_attested_channels()
    {
        Assert.Empty(typeof(Cube.Attestation.Atls.AttestedChannel).GetConstructors());
        Assert.True(typeof(Cube.Attestation.Atls.AttestedChannel).IsSealed);
        Assert.DoesNotContain(typeof(Cube.Attestation.Appraisal.EvidenceVerifier).GetConstructors().SelectMany(static constructor => constructor.GetParameters()),
            static parameter => parameter.ParameterType == typeof(Cube.Attestation.Certificates.TrustAnchors));
        Assert.False(typeof(Cube.Attestation.Certificates.TrustAnchors).IsPublic);
    }

    /// <summary>The assembly is kept small for auditors: it has no package and uses Kestrel in one folder only.</summary>
    [Fact]
    public void The_attestation_assembly_references_no_package_and_uses_ASP_NET_and_HTTP_only_in_Atls()
    {
        var project = File.ReadAllText(Path.Combine(Root(), "Cube.Attestation", "Cube.Attestation.csproj"));
        Assert.DoesNotContain("PackageReference", project, StringComparison.Ordinal);
        // The HTTP client of an attested connection, which has no dependency itself.
        Assert.Equal(1, project.Split("ProjectReference").Length - 1);
        Assert.Contains("../Cube.Http2/Cube.Http2.csproj", project, StringComparison.Ordinal);
        Assert.DoesNotContain("Reference", File.ReadAllText(Path.Combine(Root(), "Cube.Http2", "Cube.Http2.csproj")), StringComparison.Ordinal);
        Assert.All(Uses("Cube.Attestation.dll").Where(static use => use.Member.StartsWith("Cube.Http2.", StringComparison.Ordinal)), static use => Assert.StartsWith("Cube.Attestation.Atls.", use.Type, StringComparison.Ordinal));
        var web = Uses("Cube.Attestation.dll").Where(static use => use.Member.StartsWith("Microsoft.", StringComparison.Ordinal)).ToList();
        Assert.All(web, static use => Assert.StartsWith("Cube.Attestation.Atls.", use.Type, StringComparison.Ordinal));
        Assert.DoesNotContain(Uses("Cube.Attestation.dll"), static use =>
            use.Member.StartsWith("System.Security.Cryptography.X509Certificates.X509Chain", StringComparison.Ordinal) || use.Member.StartsWith("System.DateTimeOffset.get_UtcNow", StringComparison.Ordinal));
    }

    /// <summary>The members that each method references, read from its IL.</summary>
    private static List<(string Type, string Member)> Uses(string assembly)
    {
        using var file = new PEReader(File.OpenRead(Path.Combine(AppContext.BaseDirectory, assembly)));
        var metadata = file.GetMetadataReader();
        var uses = new List<(string, string)>();
        foreach (var handle in metadata.MethodDefinitions)
        {
            var method = metadata.GetMethodDefinition(handle);
            if (method.RelativeVirtualAddress == 0)
            {
                continue;
            }

            var owner = NameOf(metadata, method.GetDeclaringType());
            var il = file.GetMethodBody(method.RelativeVirtualAddress).GetILReader();
            var bytes = il.ReadBytes(il.Length);
            // Every aligned or unaligned token is checked. Other bytes can cause a false alarm but never a miss.
            for (var i = 0; i + 4 <= bytes.Length; i++)
            {
                var token = BitConverter.ToInt32(bytes, i);
                if (token >> 24 == 0x0A && (token & 0xFFFFFF) is > 0 and var row && row <= metadata.GetTableRowCount(TableIndex.MemberRef) && i > 0 && bytes[i - 1] is 0x28 or 0x6F or 0x73 or 0x06 or 0x07)
                {
                    var member = metadata.GetMemberReference((MemberReferenceHandle)MetadataTokens.Handle(token));
                    if (member.Parent.Kind == HandleKind.TypeReference)
                    {
                        var type = metadata.GetTypeReference((TypeReferenceHandle)member.Parent);
                        uses.Add((owner, $"{metadata.GetString(type.Namespace)}.{metadata.GetString(type.Name)}.{metadata.GetString(member.Name)}"));
                    }
                }
            }
        }

        return uses;
    }

    private static string NameOf(MetadataReader metadata, TypeDefinitionHandle handle)
    {
        var type = metadata.GetTypeDefinition(handle);
        return type.GetDeclaringType() is { IsNil: false } outer
            ? $"{NameOf(metadata, outer)}/{metadata.GetString(type.Name)}"
            : $"{metadata.GetString(type.Namespace)}.{metadata.GetString(type.Name)}";
    }

    private static string Root()
    {
        var directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "Cube.sln")))
        {
            directory = Path.GetDirectoryName(directory)!;
        }

        return directory;
    }
}
